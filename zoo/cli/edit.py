"""`zoo edit`: what of a face can be changed in StyleHEAT's prior, and where."""

from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, options_from, print_json
from zoo.models.styleheat_prior.edit_options import DirectionOptions, LayerOptions


@click.command(
    "directions",
    cls=Command,
    example="zoo edit directions --prior runs/prior/best.pt --shards shards/ --out directions.pt",
)
@options_from(DirectionOptions)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file of directions.",
)
@json_option
def find_directions(out: Path, as_json: bool, **values: Any) -> None:
    """Find directions of w+ that change one attribute of a face and leave the others.

    Stored pictures are inverted, and w+ is regressed on all attributes at once. Measured are mouth
    (opening) and smile (width of the mouth), over the distance of the eyes' outer corners; yaw and
    pitch, degrees; au45, 0 to 5; brightness, 0 to 1.

    A correlation says how well w+ of people that were left out tells the attribute: where it is
    near 0, the direction is of no use.
    """
    options = DirectionOptions(**values)
    from zoo.models.styleheat_prior.directions import find_directions as find
    from zoo.training.distributed import find_device

    with Bar("invert", "batches") as bar:
        found = find(options, find_device(options.device), watch=bar.watch)
    found.save(out)
    rows = [
        {"name": name, "mean": mean, "deviation": deviation, "correlation": correlation}
        for name, mean, deviation, correlation in zip(
            found.names, found.means, found.deviations, found.correlations, strict=True
        )
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['name']}: {row['mean']:.3g} ± {row['deviation']:.3g}, "
            f"correlation {row['correlation']:.2f}"
        )


@click.command(
    "layers",
    cls=Command,
    example="zoo edit layers --prior runs/prior/best.pt --out layers.png",
)
@options_from(LayerOptions)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The picture, .png.",
)
def draw_layers(out: Path, **values: Any) -> None:
    """Draw what warping the maps of each level does: Fig. 1 of StyleHEAT's supplement.

    A row is a face of noise. Its first picture is unmoved; in those that follow, the maps of 4 px,
    8 px … alone are turned about their middle.
    """
    options = LayerOptions(**values)
    from PIL import Image

    from toolkit.storage import write_whole
    from zoo.stylegan.layers_study import draw_levels, draw_styles, list_levels
    from zoo.stylegan.prior import open_prior
    from zoo.training.distributed import find_device

    generator = open_prior(options.prior, find_device(options.device)).generator
    styles = draw_styles(generator, options.faces, options.seed)
    sheet = draw_levels(generator, styles, options.degrees)
    with write_whole(out) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    levels = ", ".join(map(str, list_levels(generator)))
    click.echo(f"{out}: unmoved, then turned at {levels} px")
