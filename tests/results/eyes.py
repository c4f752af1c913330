"""The paper's Fig. 9: blinks in drawn faces with and without the eye-attention map."""

from collections.abc import Callable, Sequence

from tests.results.judged import Judged
from tests.results.people import find_longest, train_without_eyes
from tests.results.setup import Setup, Table
from toolkit.dataset.stats_plot import count_blinks, plot_distributions
from zoo.data.frames import RenderClip
from zoo.evaluation.lids import Lids, describe_lids, score_lids
from zoo.evaluation.videos import look_at
from zoo.speaking.reenact import draw_clip

SOURCE, STORED, WITH, WITHOUT = "the source", "stored frames", "with the map", "without the map"


def run_eyes(setup: Setup) -> dict[str, Table]:
    """Blinks of the longest video as it is, and drawn with and without the map."""
    judged = Judged.of(find_longest(setup))
    lids: dict[str, Lids] = {
        SOURCE: [clip.au45 for clip in judged.clips],
        STORED: [judged.measure_lids(judged.stored[clip.id].meshes) for clip in judged.clips],
        WITH: draw_lids(judged),
        WITHOUT: draw_lids(Judged.of(train_without_eyes(setup))),
    }
    parts: dict[str, Callable[[RenderClip], slice]] = {
        "all": lambda clip: slice(None),
        "held out": judged.find_part,
    }
    rows = []
    for part, find in parts.items():
        cuts = [find(clip) for clip in judged.clips]
        cut = {name: _cut(of, cuts) for name, of in lids.items()}
        rows += [
            {"frames": part, "shown": name} | score_lids(of, cut[SOURCE], judged.fps)
            for name, of in cut.items()
        ]
    target = setup.figures / "results_eyes.png"
    shown = (SOURCE, WITH, WITHOUT)
    stats = [describe_lids(name, lids[name], judged.fps) for name in shown]
    notes = [f"{sum(group.stretches)} stretches" for group in stats]
    plot_distributions(list(count_blinks(stats)), list(zip(shown, notes, strict=True)), target)
    return {
        "eyes-blinks": Table(rows),
        "eyes-figure": Table(
            figure=target, caption="Blinks in 4-second stretches, and how long they last"
        ),
    }


def _cut(lids: Lids, cuts: Sequence[slice]) -> Lids:
    """Parts of clips, without those of which there is nothing."""
    return [cut for au45, part in zip(lids, cuts, strict=True) if len(cut := au45[part])]


def draw_lids(judged: Judged) -> Lids:
    """AU45 of a renderer's pictures of every clip."""
    nothing = slice(0, 0)
    return [
        judged.measure_lids(look_at(draw_clip(judged.renderer, clip), clip, nothing).meshes)
        for clip in judged.clips
    ]
