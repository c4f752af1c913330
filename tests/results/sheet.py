"""A generated person drawn by a renderer of their own: pictures that show no real face."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.results.people import cut_media, find_real, find_sample
from tests.results.reenactment import DRAWN, NEAREST, STORED, compare, describe_run, score_shown
from tests.results.setup import Setup, Table
from tests.results.shown import Judged
from tests.results.spoken import OTHERS
from toolkit.preview.draw import BACKGROUND, draw_text
from toolkit.preview.render import choose_frames
from toolkit.storage import write_whole
from zoo.data.frames import Picture, RenderClip
from zoo.models.facial.model import open_facial_gan
from zoo.motion.speech import predict_scores
from zoo.speaking.person_file import load_person
from zoo.speaking.reenact import draw_clip
from zoo.speaking.scene import choose_clip
from zoo.speaking.synthesize import draw_motion, generate_at

COLUMNS, SIDE, TITLE = 6, 128, 22
"""Of the sheet: pictures in a row, their side and the height of a row's title, px."""

COLORS = 256
"""Of its palette, so that the file is small."""


def run_sheet(setup: Setup) -> dict[str, Table]:
    """Contact sheet of a generated person, and the figures of their renderer."""
    subject = find_sample(setup)
    judged = Judged.of(subject)
    (clip,) = judged.held
    part = judged.find_part(clip)
    frames = [part.start + t for t in choose_frames(part.stop - part.start, COLUMNS)]
    rows = {
        "generated video, frames held out of training": [clip.read_frame(t) for t in frames],
        "face model in the same motion": pick(render_clip(judged, clip), frames),
        "drawn from that motion": pick(draw_clip(judged.renderer, clip), frames),
        "drawn from a recording of somebody else's speech": speak(setup, judged),
    }
    target = setup.figures / "results_sheet.png"
    write_sheet(rows, target)
    scores = {name: score_shown(judged, shown) for name, shown in compare(judged).items()}
    return {
        "sheet": Table(figure=target, caption="A generated person, drawn by a renderer of theirs"),
        "sheet-run": Table([describe_run(subject)]),
        "sheet-scores": Table(
            [{"shown": name} | scores[name] for name in (STORED, DRAWN, NEAREST)]
        ),
    }


def render_clip(judged: Judged, clip: RenderClip) -> Iterable[Picture]:
    """The face model in a clip's own motion."""
    return judged.renderer.rendered(
        clip.camera, expression=clip.expression, pose=clip.model_pose, au45=clip.au45
    )


def speak(setup: Setup, judged: Judged) -> list[Picture]:
    """Pictures at even distances of the person saying what somebody else said."""
    person = load_person(judged.subject.stages)
    model = open_facial_gan(person.motion_model)
    audio = cut_media(setup, find_real(*OTHERS["a reader's"]))
    rest = choose_clip(judged.clips, judged.renderer.trained_on)
    motion = generate_at(model, predict_scores(audio, model.contract), rest)
    return pick(draw_motion(judged.renderer, rest, motion), choose_frames(len(motion), COLUMNS))


def pick(pictures: Iterable[Picture], frames: Sequence[int]) -> list[Picture]:
    """Pictures number `frames`, ascending."""
    last = itertools.islice(enumerate(pictures), frames[-1] + 1)
    return [picture for t, picture in last if t in frames]


def write_sheet(rows: dict[str, list[Picture]], target: Path) -> None:
    """Rows of pictures under their titles, as a PNG of few colours."""
    height = SIDE + TITLE
    sheet = np.full((len(rows) * height, COLUMNS * SIDE, 3), BACKGROUND, np.uint8)
    for k, (title, pictures) in enumerate(rows.items()):
        draw_text(sheet, title, (6, k * height + TITLE // 2), bold=True)
        for x, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            place = np.s_[k * height + TITLE : (k + 1) * height, x * SIDE : (x + 1) * SIDE]
            sheet[place] = np.asarray(small)
    target.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(target) as temporary:
        Image.fromarray(sheet).quantize(COLORS).save(temporary, format="PNG", optimize=True)
