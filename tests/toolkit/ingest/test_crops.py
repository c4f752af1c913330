"""Pass 2: the pictures of a stretch are those of pass 1, wherever it lies and whatever the file."""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import (
    FORMATS,
    Picture,
    draw_number,
    draw_numbers,
    encode,
    encode_at,
    list_encoders,
    read_all,
    read_number,
    set_display_matrix,
)
from toolkit.clock import show_frames
from toolkit.errors import SourceError
from toolkit.ingest.crops import encode_crops, read_crops, read_pictures
from toolkit.ingest.prepare import to_crop
from toolkit.media.decode import read_frames
from toolkit.media.picture_store import PictureStore, plan_store
from toolkit.media.video import probe
from toolkit.schema import ClipInput

FRAMES = 760
NAMES = (
    "h264_b.mp4", "h264_b.mkv", "h264_b.ts", "h264.avi", "vp9.webm", "mpeg1_b.mpg", "mpeg2_b.ts",
    "mpeg4.avi", "wmv2.wmv",
)  # fmt: skip


def refuse() -> npt.NDArray[np.float32]:
    raise AssertionError("pass 2 needs no landmarks")


def make_clip(
    path: Path, times: list[float], first: int, last: int, crop: tuple[int, int, int, int]
) -> ClipInput:
    """A clip on the clock of 30 a second."""
    info, _ = probe(path)
    index = show_frames(np.array(times), first, last, 30)
    return ClipInput(
        clip_id="clip", path=path, fps=30, start_frame=first, num_frames=last - first,
        picture_size=(info.width, info.height), intrinsics=(1, 1, 1, 1), crop=crop,
        valid=np.ones(last - first, bool), source_time=np.array(times)[index], source_index=index,
        source_num_frames=len(times), load_landmarks=refuse,
        load_pcm=lambda: np.zeros(0, np.int16), read_frames=lambda: iter(()),
    )  # fmt: skip


def read_again(clip: ClipInput, size: int) -> tuple[list[Picture], list[bool]]:
    crops = [
        (picture.copy(), is_new) for picture, is_new in read_crops(clip, *probe(clip.path), size)
    ]
    return [picture for picture, _ in crops], [is_new for _, is_new in crops]


@pytest.fixture(scope="module")
def numbers() -> list[Picture]:
    return draw_numbers(FRAMES, 48, 48)


@pytest.mark.parametrize("name", NAMES)
def test_seeking_gives_the_very_pictures_of_decoding_from_the_start(
    name: str, numbers: list[Picture], tmp_path: Path
) -> None:
    """30 s in groups of up to 20 s, so that a seek that lands wrongly shows."""
    if FORMATS[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {FORMATS[name][1]}")
    path = encode(tmp_path / name, numbers, *FORMATS[name], "-g", "500")
    crop = (-6, 0, 42, 48)
    _, times, whole = read_all(path, size=(32, 32), crop=crop)
    for first in (43, 781):
        clip = make_clip(path, times, first, first + 8, crop)
        pictures, _ = read_again(clip, 32)
        for picture, index in zip(pictures, clip.source_index, strict=True):
            np.testing.assert_array_equal(picture, whole[index])


def test_repeated_frames_are_said_to_be_so(tmp_path: Path) -> None:
    path = encode_at(tmp_path / "slow.mkv", [0, 100, 133, 500])
    _, times, _ = read_all(path)
    pictures, is_new = read_again(make_clip(path, times, 0, 16, (0, 0, 64, 64)), 64)
    assert is_new == [t in (0, 3, 4, 15) for t in range(16)]
    changes = [bool(np.any(a != b)) for a, b in itertools.pairwise(pictures)]
    assert changes == is_new[1:]


def test_whole_pictures_are_at_source_size_one_a_clock_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(25), *FORMATS["h264.mp4"])
    _, times, _ = read_all(path)
    clip = make_clip(path, times, 5, 20, (0, 0, 32, 32))
    pictures = [picture.copy() for picture in read_pictures(clip, *probe(path))]
    assert [read_number(picture) for picture in pictures] == clip.source_index.tolist()
    assert pictures[0].shape == (64, 96, 3)


def test_a_file_that_decodes_otherwise_the_second_time_is_unreadable(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(25), *FORMATS["h264.mp4"])
    clip = make_clip(path, [k / 25 + 0.013 for k in range(25)], 0, 10, (0, 0, 32, 32))
    with pytest.raises(SourceError, match="does not give the frame at 0"):
        read_again(clip, 32)


def test_a_file_that_has_become_shorter_is_unreadable(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(25), *FORMATS["h264.mp4"])
    clip = make_clip(path, [k / 25 for k in range(50)], 20, 50, (0, 0, 32, 32))
    with pytest.raises(SourceError, match="does not give the frame"):
        read_again(clip, 32)


def test_crops_are_encoded_with_the_colours_at_their_landmarks(tmp_path: Path) -> None:
    import cv2

    pictures = [draw_number(k, 64, 64) for k in (0, 5, 4095)]
    crops = [(pictures[0], True), (pictures[0], False), (pictures[1], True), (pictures[2], True)]
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(-5, 70, (4, 478, 3)).astype(np.float32)
    pass2 = encode_crops(iter(crops), landmarks, tmp_path / "j", size=64, store=True)
    jpegs = list(pass2.read_jpegs())
    assert len(jpegs) == len(pass2.lengths) == 4
    assert jpegs[0] == jpegs[1] != jpegs[2]
    decoded = cv2.imdecode(np.frombuffer(jpegs[3], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - pictures[2]).mean() < 3
    x, y = np.floor(landmarks[2, :468, :2]).clip(0, 63).astype(int).T
    np.testing.assert_array_equal(pass2.colors[2], pictures[1][y, x])
    assert pass2.colors.shape == (4, 468, 3)


def test_nothing_is_stored_where_no_frames_are_wanted(tmp_path: Path) -> None:
    crops = iter([(draw_number(0, 64, 64), True)])
    landmarks = np.zeros((1, 478, 3), np.float32)
    pass2 = encode_crops(crops, landmarks, tmp_path / "j", size=64, store=False)
    assert list(pass2.read_jpegs()) == []
    assert (tmp_path / "j").stat().st_size == 0


def test_landmarks_of_a_crop_are_scaled_in_width_height_and_depth(tmp_path: Path) -> None:
    """A crop of 100 px drawn at 256: its middle, 5 px deep."""
    path = encode(tmp_path / "a.mkv", draw_numbers(5, 48, 48), *FORMATS["h264_b.mkv"])
    clip = make_clip(path, [frame / 30 for frame in range(5)], 0, 2, (10, 20, 110, 120))
    points = np.tile(np.array([60, 70, 5], np.float32), (2, 478, 1))
    np.testing.assert_allclose(to_crop(points, clip, 256), np.tile([128, 128, 12.8], (2, 478, 1)))


def test_sharpness_is_the_median_of_every_fifth_frame(tmp_path: Path) -> None:
    """Frames 0, 5 and 10 hold points of 20, 60 and 200; 20 · 60² / 256² is between."""
    pictures = [np.zeros((256, 256, 3), np.uint8) for _ in range(11)]
    for frame, level in {0: 20, 5: 60, 10: 200, 1: 255, 2: 255, 3: 255, 4: 255}.items():
        pictures[frame][90, 90] = level
    crops = ((picture, True) for picture in pictures)
    landmarks = np.zeros((11, 478, 3), np.float32)
    made = encode_crops(crops, landmarks, tmp_path / "jpegs", size=256, store=False)
    assert made.sharpness == pytest.approx(20 * 60**2 / 256**2)


def test_a_blurred_picture_is_less_sharp(tmp_path: Path) -> None:
    import cv2

    sharp = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    landmarks = np.zeros((1, 478, 3), np.float32)

    def measure(picture: Picture) -> float:
        crops = iter([(picture, True)])
        return encode_crops(crops, landmarks, tmp_path / "j", size=256, store=False).sharpness

    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY).astype(float)
    edges = np.pad(grey, 1, mode="reflect")
    around = edges[:-2, 1:-1] + edges[2:, 1:-1] + edges[1:-1, :-2] + edges[1:-1, 2:]
    assert measure(sharp) == pytest.approx((around - 4 * grey).var(), rel=1e-3)
    assert measure(np.asarray(cv2.blur(sharp, (5, 5)), np.uint8)) < measure(sharp) / 10


# --- crops from what pass 1 kept ----------------------------------------------------------------


def keep_pictures(
    path: Path, file: Path, region: tuple[int, int, int, int] | None, limit: int = 1000
) -> PictureStore:
    """Decode a file as pass 1 does; what it kept, the whole or a region of each picture."""
    info, streams = probe(path)
    store = plan_store(file, info, None)
    store.region, store.limit = region or store.region, limit
    size = (info.width, info.height)
    for _ in read_frames(path, info, streams, size=size, store=store):
        pass
    return store


def read_both(
    path: Path, store: PictureStore, first: int, last: int, crop: tuple[int, int, int, int]
) -> tuple[list[Picture], list[Picture], bool]:
    """A clip's crops by a second decode and from the store, and whether the store holds them."""
    info, streams = probe(path)
    clip = make_clip(path, read_all(path)[1], first, last, crop)
    again = [picture.copy() for picture, _ in read_crops(clip, info, streams, 40)]
    kept = [picture.copy() for picture, _ in read_crops(clip, info, streams, 40, store)]
    return again, kept, store.holds(crop, int(clip.source_index[-1]), info)


@pytest.mark.parametrize("crop", [(8, 4, 60, 56), (-10, -6, 58, 62), (40, 20, 104, 84)])
@pytest.mark.parametrize("name", ["h264_b.mp4", "h264.avi", "mpeg4.avi", "mpeg2_b.ts"])
def test_crops_from_the_store_are_those_of_a_second_decode(
    name: str, crop: tuple[int, int, int, int], tmp_path: Path
) -> None:
    if FORMATS[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {FORMATS[name][1]}")
    path = encode(tmp_path / name, draw_numbers(40), *FORMATS[name])
    store = keep_pictures(path, tmp_path / "kept", None)
    for first, last in ((0, 20), (17, 40)):
        again, kept, held = read_both(path, store, first, last, crop)
        assert held
        np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize("turn", list(itertools.product((-1, 1), (-1, 1), (False, True))))
def test_crops_from_the_store_are_those_of_a_second_decode_however_the_picture_lies(
    turn: tuple[int, int, bool], tmp_path: Path
) -> None:
    """Of the eight ways to lay a picture down, a vertical flip alone copies nothing."""
    right, down, is_swapped = turn
    path = encode(tmp_path / "laid.mp4", draw_numbers(20, 64, 64), *FORMATS["h264.mp4"])
    set_display_matrix(path, (0, down, right, 0) if is_swapped else (right, 0, 0, down))
    store = keep_pictures(path, tmp_path / "kept", None)
    again, kept, held = read_both(path, store, 0, 20, (2, 0, 58, 56))
    assert held
    np.testing.assert_array_equal(again, kept)


def test_the_store_keeps_a_region_and_gives_no_crop_that_leaves_it(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(20), *FORMATS["h264.mp4"])
    store = keep_pictures(path, tmp_path / "kept", (10, 0, 70, 60))
    assert store.path.stat().st_size == 20 * 60 * 60 * 3 // 2
    for crop, inside in (
        ((12, 2, 64, 54), True),
        ((12, -8, 64, 44), True),
        ((4, 2, 56, 54), False),
    ):
        again, kept, held = read_both(path, store, 2, 18, crop)
        assert held == inside
        np.testing.assert_array_equal(again, kept)


def test_a_source_that_does_not_fit_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(30), *FORMATS["h264.mp4"])
    info, _ = probe(path)
    assert plan_store(tmp_path / "kept", info, None).limit >= 30
    monkeypatch.setattr("toolkit.media.picture_store.MAX_BYTES", 29 * 96 * 64 * 3 // 2)
    assert plan_store(tmp_path / "kept", info, None).limit == 0


def test_frames_beyond_what_was_kept_are_decoded_again(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", draw_numbers(30), *FORMATS["h264.mp4"])
    store = keep_pictures(path, tmp_path / "kept", None, limit=12)
    assert store.num_frames == 12
    for last, inside in ((12, True), (30, False)):
        again, kept, held = read_both(path, store, 0, last, (8, 4, 60, 56))
        assert held == inside
        np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize("name", ["h264_444.mkv", "vp9.webm", "mpeg1_b.mpg"])
def test_pictures_that_raw_bytes_do_not_describe_are_decoded_again(
    name: str, tmp_path: Path
) -> None:
    """4:4:4, RGB, and chroma that lies elsewhere."""
    if FORMATS[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {FORMATS[name][1]}")
    path = encode(tmp_path / name, draw_numbers(20), *FORMATS[name])
    store = keep_pictures(path, tmp_path / "kept", None)
    again, kept, held = read_both(path, store, 0, 15, (8, 4, 60, 56))
    assert not held
    np.testing.assert_array_equal(again, kept)


def test_a_store_that_cannot_be_written_is_no_store(tmp_path: Path) -> None:
    """As on a full disk: the decode goes on, and crops are decoded again."""
    import resource

    path = encode(tmp_path / "a.mp4", draw_numbers(10), *FORMATS["h264.mp4"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 96 * 64, limits[1]))
    try:
        store = keep_pictures(path, tmp_path / "kept", None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.num_frames == 0
    assert not store.path.exists()
    again, kept, held = read_both(path, store, 0, 8, (8, 4, 60, 56))
    assert not held
    np.testing.assert_array_equal(again, kept)
