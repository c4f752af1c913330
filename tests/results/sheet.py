"""A generated person drawn by a renderer of that person: pictures that show no real face."""

from collections.abc import Iterable, Sequence

from tests.results.films import SOURCE
from tests.results.judged import Judged
from tests.results.people import cut_media, find_real, find_sample
from tests.results.reenactment import DRAWN, NEAREST, STORED, compare, describe_run, score_all
from tests.results.setup import Setup, Table
from tests.results.spoken import OTHERS
from toolkit.mesh import EYE_CORNERS, LANDMARKS68, LIPS68
from toolkit.preview.render import choose_frames
from zoo.data.frames import Picture, RenderClip
from zoo.evaluation.figures import cut_part, pick, write_sheet
from zoo.models.facial.model import open_facial_gan
from zoo.motion.speech import predict_scores
from zoo.speaking.movement import move_clip
from zoo.speaking.person_file import load_person
from zoo.speaking.reenact import draw_clip
from zoo.speaking.scene import Scene, choose_clip
from zoo.speaking.synthesize import draw_motion, generate_at, show_movement

COLUMNS = 6
"""Pictures in a row of the sheet."""

PICTURE = 192
"""Width of its pictures, px."""

PARTS = {
    "mouth": (LANDMARKS68[LIPS68], 1.6),
    "eyes": ([point for pair in EYE_CORNERS for point in pair], 1.3),
}
"""Part that is shown larger -> points in its middle, and its width over that of the points."""


def run_sheet(setup: Setup) -> dict[str, Table]:
    """Contact sheet of a generated person, and the figures of their renderer."""
    subject = find_sample(setup)
    judged = Judged.of(subject)
    (clip,) = judged.held
    part = judged.find_part(clip)
    frames = [part.start + t for t in choose_frames(part.stop - part.start, COLUMNS)]
    held = [clip.read_frame(t) for t in frames]
    drawn = pick(draw_clip(judged.renderer, clip), frames)
    rows = {
        "generated video, frames held out of training": held,
        "face model in the same motion": pick(render_clip(judged, clip), frames),
        "drawn from that motion": drawn,
        "the same in the video's picture": pick(compose(judged, clip), frames),
        **zoom(clip, frames, held, drawn),
        "drawn from a recording of another person's speech": speak(setup, judged),
    }
    target = setup.figures / "results_sheet.png"
    write_sheet(rows, target, PICTURE)
    scores = {name: score_all(judged, shown) for name, shown in compare(judged).items()}
    return {
        "sheet": Table(
            figure=target, caption="A generated person, drawn by a renderer of that person"
        ),
        "sheet-run": Table([describe_run(subject)]),
        "sheet-scores": Table(
            [{"shown": name} | scores[name] for name in (STORED, DRAWN, NEAREST)]
        ),
    }


def compose(judged: Judged, clip: RenderClip) -> Iterable[Picture]:
    """A clip's own motion drawn in its source's pictures."""
    scene = Scene(clip, judged.subject.shards, SOURCE)
    return show_movement(scene, judged.renderer, clip, move_clip(clip))


def zoom(
    clip: RenderClip, frames: Sequence[int], held: Sequence[Picture], drawn: Sequence[Picture]
) -> dict[str, list[Picture]]:
    """Rows of mouths and eyes of a clip's frames: as they are, and as they were drawn.

    Both are cut at the same place, which the stored mesh tells.
    """
    meshes = clip.reader.read("face/landmarks", clip.index)[clip.first :][list(frames)]
    return {
        f"{what}, {part}": [
            cut_part(picture, mesh, points, wide)
            for picture, mesh in zip(pictures, meshes, strict=True)
        ]
        for part, (points, wide) in PARTS.items()
        for what, pictures in (("held out", held), ("drawn", drawn))
    }


def render_clip(judged: Judged, clip: RenderClip) -> Iterable[Picture]:
    """The face model in a clip's own motion."""
    return judged.renderer.rendered(
        clip.camera, expression=clip.expression, pose=clip.model_pose, au45=clip.au45
    )


def speak(setup: Setup, judged: Judged) -> list[Picture]:
    """Pictures at even distances of the person saying what another person said."""
    person = load_person(judged.subject.stages)
    model = open_facial_gan(person.motion_model)
    audio = cut_media(setup, find_real(*OTHERS["a reader's"]))
    rest = choose_clip(judged.clips, judged.renderer.trained_on)
    motion = generate_at(model, predict_scores(audio, model.contract), rest)
    return pick(draw_motion(judged.renderer, rest, motion), choose_frames(len(motion), COLUMNS))
