"""Previews: what is drawn stands where the arrays say, and what is missing is left out."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from tests import datasets
from tests.datasets import FakeClip, write_dataset
from toolkit.cli import main
from toolkit.dataset.find import find_clip
from toolkit.dataset.manifest import write_part
from toolkit.errors import ManifestError, ToolkitError
from toolkit.features.blink import find_blinks
from toolkit.preview import render_clip, render_sheet
from toolkit.preview.clip import PreviewClip, load_clip
from toolkit.preview.draw import (
    AXES,
    BLINK,
    GREY,
    INVALID,
    MESH,
    draw_lines,
    draw_mesh,
    draw_text,
    find_axes,
    fit_text,
    format_number,
    load_mesh_lines,
)
from toolkit.preview.render import choose_frames, describe_turn, draw_face
from toolkit.preview.traces import (
    HEIGHT,
    WIDTH,
    Traces,
    draw_heat,
    find_runs,
    measure_level,
    read_letters,
)
from toolkit.schema import DEEPSPEECH_SYMBOLS

CLIPS = [FakeClip(source=f"{i}.mp4", identity=f"p{i}", num_frames=8 + i) for i in range(7)]
CAMERA = (500.0, 500.0, 320.0, 240.0)
Maker = Callable[..., PreviewClip]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven short clips in two shards, with frames of 32 px."""
    path = tmp_path_factory.mktemp("data")
    return write_dataset(path, {"a": CLIPS[:4], "b": CLIPS[4:]}, frame_size=32)


@pytest.fixture
def make_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Makes a clip with the arrays given and no other."""

    def make(
        num_frames: int, frame_size: int = 0, **arrays: npt.NDArray[np.generic]
    ) -> PreviewClip:
        named = {name.replace("__", "/"): array for name, array in arrays.items()}
        monkeypatch.setattr(datasets, "NAMES", ())
        clip = FakeClip(num_frames=num_frames, arrays=named)
        write_dataset(tmp_path / "one", {"j": [clip]}, frame_size=frame_size)
        return load_clip(tmp_path / "one", clip.id)

    return make


def is_color(picture: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Which pixels have exactly this colour."""
    return np.asarray((picture == np.array(color)).all(axis=-1))


# --- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 5])
@pytest.mark.parametrize("length", [6, 16])
def test_a_clip_is_found_by_its_id_and_by_the_beginning_of_it(
    dataset: Path, number: int, length: int
) -> None:
    clip = CLIPS[number]
    shard = dataset / "shards" / ("a.h5" if number < 4 else "b.h5")
    assert find_clip(dataset, clip.id[:length]) == (clip.id, shard, number % 4)
    assert load_clip(dataset, clip.id[:length]).num_frames == clip.num_frames


def test_an_unknown_id_is_an_error_that_names_some_known_ones(dataset: Path) -> None:
    with pytest.raises(ToolkitError) as failure:
        find_clip(dataset, "nobody")
    text = str(failure.value)
    assert "'nobody'" in text
    assert sum(clip.id[:8] in text for clip in CLIPS) == 5
    assert "and 2 more" in text


def test_a_beginning_that_several_ids_share_is_an_error(dataset: Path) -> None:
    with pytest.raises(ToolkitError, match="several"):
        find_clip(dataset, "")


def test_an_id_that_begins_another_one_is_found(tmp_path: Path) -> None:
    clip = FakeClip()
    rows = [datasets.make_row(clip) | {"clip_id": name, "index": i} for i, name in enumerate("ab")]
    rows.append(rows[0] | {"clip_id": "ab", "index": 2})
    write_part(tmp_path, "clips", "j", rows)
    assert find_clip(tmp_path, "a")[2] == 0
    assert find_clip(tmp_path, "ab")[2] == 2


def test_a_manifest_that_points_to_another_clip_is_an_error(tmp_path: Path) -> None:
    clips = [FakeClip(source="0.mp4"), FakeClip(source="1.mp4")]
    write_dataset(tmp_path, {"j": clips})
    write_part(tmp_path, "clips", "j", [datasets.make_row(clip) for clip in clips])
    with pytest.raises(ManifestError, match="ttk validate"):
        load_clip(tmp_path, clips[1].id)


@pytest.mark.parametrize("scale", ["log_prob", "logit"])
def test_scores_become_probabilities_from_either_scale(make_clip: Maker, scale: str) -> None:
    truth = np.random.default_rng(0).dirichlet(np.ones(29), size=6)
    scores = np.log(truth) + (3.0 if scale == "logit" else 0.0)
    clip = make_clip(6, audio__deepspeech=scores.astype(np.float32))
    assert clip.symbols is not None
    np.testing.assert_allclose(clip.symbols, truth, atol=1e-6)


# --- the face -----------------------------------------------------------------------------------


def test_axes_of_a_frontal_head_are_the_cameras_and_the_nose_points_at_it() -> None:
    # 60 mm at 600 mm under a focal length of 500 px: 50 px.
    axes = find_axes(np.array([0, 0, 0, 0, 0, 600.0]), CAMERA)
    assert axes is not None
    np.testing.assert_allclose(axes, [[320, 240], [370, 240], [320, 290], [320, 240]], atol=1e-9)


@pytest.mark.parametrize(
    ("turn", "moved"),
    [((np.pi / 2, 0), (0, 50)), ((0, np.pi / 2), (-50, 0))],
    ids=["pitch: looks down", "yaw: turns to own right, left in the picture"],
)
def test_a_turned_heads_nose_axis_points_where_it_looks(
    turn: tuple[float, float], moved: tuple[float, float]
) -> None:
    axes = find_axes(np.array([*turn, 0, 0, 0, 600.0]), CAMERA)
    assert axes is not None
    np.testing.assert_allclose(axes[3] - axes[0], moved, atol=1e-9)


@pytest.mark.parametrize("pose", [[0, 0, 0, 0, 0, -600], [0, 0, 0, 0, 0, 30], [np.nan] * 6])
def test_a_head_at_or_behind_the_camera_has_no_axes(pose: list[float]) -> None:
    assert find_axes(np.array(pose, np.float64), CAMERA) is None


def test_axes_go_through_the_crop(make_clip: Maker) -> None:
    # Crop (1, 2)–(101, 102), camera 500, 500, 320, 240: a head at x −312 mm, z 600 mm is at 60.
    pose = np.tile(np.array([0, 0, 0, -312, -216, 600], np.float32), (4, 1))
    axes = make_clip(4, face__pose=pose).place_axes(0, 200)
    assert axes is not None
    np.testing.assert_allclose(axes[0], [(60 - 1) * 2, (60 - 2) * 2], atol=1e-4)
    picture = draw_face(make_clip(4, face__pose=pose), 0, 512)
    assert all(is_color(picture, color).any() for color in AXES)


@pytest.mark.parametrize(("frame_size", "unit"), [(32, 32), (0, 256)])
def test_the_mesh_is_scaled_from_the_stored_crop_or_the_nominal_one(
    make_clip: Maker, frame_size: int, unit: int
) -> None:
    landmarks = np.full((4, 478, 3), unit / 4, np.float32)
    clip = make_clip(4, frame_size, face__landmarks=landmarks)
    points = clip.scale_landmarks(2, 512)
    assert points is not None
    assert points.shape == (478, 2)
    np.testing.assert_allclose(points, 128)


@pytest.mark.parametrize("y", [3.5, 4.0, 4.25])
def test_a_line_lies_where_its_points_are_to_a_fraction_of_a_pixel(y: float) -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    draw_lines(picture, np.array([[[2.5, y], [16.5, y]]]), (255, 255, 255))
    cover = picture[:, 10, 0].astype(float)
    centres = np.arange(10) + 0.5
    assert (cover * centres).sum() / cover.sum() == pytest.approx(y, abs=0.06)


def test_every_edge_of_the_mesh_is_drawn_once_and_within_its_points() -> None:
    mesh = load_mesh_lines()
    assert len({frozenset(pair) for pair in mesh.web.tolist()}) == len(mesh.web)
    assert set(mesh.web.ravel().tolist()) == set(range(468))
    turn = np.linspace(0, 2 * np.pi, 478)
    points = np.stack([150 + 40 * np.cos(turn), 100 + 30 * np.sin(turn)], axis=-1)
    picture = np.zeros((300, 300, 3), np.uint8)
    draw_mesh(picture, points)
    y, x = np.nonzero(picture.any(axis=-1))
    # Irises are circles about points of that ring, at most a few px wide.
    assert (x.min() > 100, x.max() < 200, y.min() > 60, y.max() < 140) == (True,) * 4
    assert is_color(picture, MESH).any()
    assert is_color(picture, BLINK).any()


def test_interpolated_frames_are_framed_and_drawn_in_another_colour(make_clip: Maker) -> None:
    valid = np.array([True, False, True, True])
    generator = np.random.default_rng(0)
    landmarks = generator.uniform(8, 24, (4, 478, 3)).astype(np.float32)
    clip = make_clip(4, 32, face__landmarks=landmarks, face__valid=valid)
    measured, filled = draw_face(clip, 0, 128), draw_face(clip, 1, 128)
    assert is_color(filled, INVALID)[[0, -1]].all()
    assert is_color(filled, INVALID)[30:98, 30:98].any()
    assert not is_color(filled, MESH).any()
    assert not is_color(measured, INVALID).any()


def test_the_picture_is_the_stored_frame_and_grey_where_there_is_none(make_clip: Maker) -> None:
    stored = make_clip(5, 32).read_picture(4, 64)
    assert stored.shape == (64, 64, 3)
    np.testing.assert_allclose(stored, 40, atol=1)
    assert is_color(make_clip(5, 0).read_picture(4, 64), GREY).all()


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ((10, 20, 30), ("looks 10° down", "20° turned to own right", "30° tilted to own left")),
        ((-10, -20, -30), ("looks 10° up", "20° turned to own left", "30° tilted to own right")),
    ],
)
def test_turns_are_told_from_the_heads_point_of_view(
    turns: tuple[float, ...], words: tuple[str, ...]
) -> None:
    assert describe_turn(np.array([*np.radians(turns), 0, 0, 0])) == words


# --- traces -------------------------------------------------------------------------------------


def draw_traces(clip: PreviewClip, t: int = 0) -> npt.NDArray[np.uint8]:
    """The traces at frame t."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    Traces(clip).draw(picture, t)
    return picture


def test_blinks_are_shaded_where_they_are(make_clip: Maker) -> None:
    au45 = np.zeros(60, np.float32)
    au45[30:35] = (2, 4, 5, 4, 2)  # at half intensity, 2.5, in frames 31 to 33
    with_blink = draw_traces(make_clip(60, face__au45=au45))
    clip = make_clip(60, face__au45=au45)
    without = draw_traces(PreviewClip(**{**vars(clip), "blinks": []}))
    assert [(b.onset, b.apex, b.offset) for b in clip.blinks] == [(31, 32, 33)]
    columns = np.flatnonzero((with_blink != without).any(axis=(0, 2)))
    plot = 584 / 60  # px a frame, right of a margin of 84 px
    assert columns.min() == pytest.approx(84 + 31 * plot, abs=1)
    assert columns.max() + 1 == pytest.approx(84 + 34 * plot, abs=1)


def test_the_blinks_shown_are_those_that_the_manifest_counts(make_clip: Maker) -> None:
    au45, valid = np.zeros(60, np.float32), np.ones(60, bool)
    au45[30:35], valid[28:37] = (2, 4, 5, 4, 2), False
    assert list(make_clip(60, face__au45=au45, face__valid=valid).blinks) == find_blinks(au45, 30)


def test_the_playhead_moves_through_a_short_clip_and_stays_amid_a_long_one(
    make_clip: Maker,
) -> None:
    def find_playhead(clip: PreviewClip, t: int) -> float:
        # The playhead is the only thing that is bright all the way down the gap between two rows.
        gap = draw_traces(clip, t)[69]
        return float(np.flatnonzero(gap.min(axis=-1) > 150).mean())

    short = make_clip(60)
    assert find_playhead(short, 15) == pytest.approx(84 + 584 * 15.5 / 60, abs=1)
    long = make_clip(30 * 20)
    assert find_playhead(long, 300) == pytest.approx(84 + 584 / 2, abs=1)
    assert find_playhead(long, 330) == pytest.approx(84 + 584 / 2, abs=1)
    assert find_playhead(long, 0) == pytest.approx(84, abs=2)
    assert find_playhead(long, 599) == pytest.approx(84 + 584, abs=3)


def test_level_is_that_of_known_sounds() -> None:
    time = np.arange(16_000) / 16_000
    sine = np.round(32767 * np.sin(2 * np.pi * 400 * time)).astype(np.int16)
    pcm = np.concatenate([sine, np.zeros(16_000, np.int16)])
    loud, quiet = measure_level(pcm, np.array([0.5, 1.5]))
    assert loud == pytest.approx(-3.01, abs=0.01)  # a sine's rms is 1/√2 of its peak
    assert quiet < -100


def test_letters_are_read_greedily_without_blanks_and_repeats() -> None:
    best = [DEEPSPEECH_SYMBOLS.index(s) for s in "__hheel_l o"]
    read = list(read_letters(np.eye(29)[best]))
    assert read == [
        ("h", 2, 4), ("e", 4, 6), ("l", 6, 7), ("l", 8, 9), ("o", 10, 11),
    ]  # fmt: skip


def test_the_heat_map_is_brighter_where_a_symbol_is_likelier() -> None:
    heat = draw_heat(np.array([[1e-6, 1e-3, 1e-2, 0.1, 1.0]])).astype(int).sum(axis=-1)
    assert heat.shape == (5, 1)
    assert heat[0, 0] == heat[1, 0]
    assert (np.diff(heat[1:, 0]) > 0).all()


@pytest.mark.parametrize(
    ("flags", "runs"), [("", []), ("0110", [(1, 3)]), ("101", [(0, 1), (2, 3)]), ("000", [])]
)
def test_runs_are_the_stretches_of_true(flags: str, runs: list[tuple[int, int]]) -> None:
    assert list(find_runs(np.array([flag == "1" for flag in flags], bool))) == runs


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [(-1.25, 1, True, "−1.2"), (3.0, 0, True, "+3"), (-0.3, 0, True, "0"), (2.5, 2, False, "2.50")],
)
def test_numbers_have_a_real_minus_and_zero_no_sign(
    value: float, digits: int, sign: bool, text: str
) -> None:
    assert format_number(value, digits, sign=sign) == text


def test_long_text_loses_its_middle() -> None:
    assert fit_text("short", 200) == "short"
    cut = fit_text("a" * 40 + "z" * 40, 100)
    assert (cut[0], cut[-1], "…" in cut) == ("a", "z", True)


@pytest.mark.parametrize("place", [(-30, 5), (95, 5), (50, -3), (50, 60)])
def test_text_that_leaves_the_picture_is_clipped(place: tuple[int, int]) -> None:
    picture = np.zeros((20, 100, 3), np.uint8)
    draw_text(picture, "measured", place)
    assert picture.shape == (20, 100, 3)


# --- files --------------------------------------------------------------------------------------


def read_video(path: Path) -> tuple[list[npt.NDArray[np.uint8]], float]:
    """Frames of a video as RGB, and the seconds of its sound."""
    with av.open(str(path)) as container:
        frames = [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return frames, samples / container.streams.audio[0].rate


def test_the_video_has_every_frame_of_the_clip_and_its_sound(dataset: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "new" / "x.mp4", []
    result = render_clip(
        dataset, CLIPS[6].id, out, progress=lambda done, total: told.append((done, total))
    )
    frames, seconds = read_video(result)
    assert len(frames) == CLIPS[6].num_frames == 14
    assert frames[0].shape == (512 + HEIGHT, WIDTH, 3)
    assert seconds == pytest.approx(14 / 30, abs=0.13)  # AAC comes in blocks of 64 ms
    assert told == [(t + 1, 14) for t in range(14)]
    assert [path.name for path in out.parent.iterdir()] == ["x.mp4"]


def test_a_clip_with_nothing_but_sound_can_be_shown(make_clip: Maker, tmp_path: Path) -> None:
    clip = make_clip(5)
    frames, _ = read_video(render_clip(tmp_path / "one", clip.name, tmp_path / "x.mp4"))
    assert len(frames) == 5
    assert np.abs(frames[0][100:400, 100:400] - np.array(GREY)).max() <= 3  # as encoded
    assert render_sheet(tmp_path / "one", clip.name, tmp_path / "x.png").is_file()


@pytest.mark.parametrize(
    ("num_frames", "count", "frames"),
    [(24, 24, list(range(24))), (100, 4, [12, 37, 62, 87]), (3, 24, [0, 1, 2]), (1, 24, [0])],
)
def test_a_sheet_shows_the_middles_of_equal_stretches(
    num_frames: int, count: int, frames: list[int]
) -> None:
    assert choose_frames(num_frames, count) == frames


def test_a_sheet_has_a_cell_for_each_frame(make_clip: Maker, tmp_path: Path) -> None:
    from PIL import Image

    clip = make_clip(8, 32)
    path = render_sheet(tmp_path / "one", clip.name, tmp_path / "x.png")
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (60 + 2 * (256 + 44 + 8), 6 * 264 + 8, 3)
    for number in range(8):  # frame t is grey of brightness 10·t
        x, y = 8 + 264 * (number % 6), 60 + 308 * (number // 6)
        np.testing.assert_allclose(sheet[y : y + 256, x : x + 256], 10 * number, atol=1)


# --- the command --------------------------------------------------------------------------------


def show(dataset: Path, *arguments: object) -> Result:
    """Run `ttk show`."""
    return CliRunner().invoke(main, ["show", *map(str, arguments), "--data", str(dataset)])


def test_the_command_writes_video_and_sheet_and_names_them(dataset: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "x.mp4", tmp_path / "x.png"
    result = show(dataset, CLIPS[0].id[:8], "--out", out, "--sheet", sheet)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(sheet), str(out)]
    assert out.stat().st_size
    assert sheet.stat().st_size


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody", "--sheet", "x.png"], 1, "no clip's id begins with 'nobody'"),
        ([CLIPS[0].id], 2, "give --out FILE.mp4 or --sheet FILE.png"),
        ([CLIPS[0].id, "--out", "x.avi"], 2, "must end in .mp4"),
        ([CLIPS[0].id, "--sheet", "x.jpg"], 2, "must end in .png"),
    ],
)
def test_mistakes_are_one_clear_line(
    dataset: Path, arguments: list[str], code: int, words: str
) -> None:
    result = show(dataset, *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output
