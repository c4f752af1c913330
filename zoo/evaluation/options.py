"""Options of `zoo evaluate video` and `compare`, apart from what measures: `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zoo.metrics.rows import ARCFACE, DISTANCES, FACENET, INCEPTION, LPIPS_ALEX, LPIPS_VGG
from zoo.metrics.table import METRICS, Metric, find_metric

ALL = "all"

DLIB_LIMIT = 0.6
"""Distance of features below which dlib calls two faces one person's (dlib's example
dnn_face_recognition_ex)."""

WORKERS_HELP = "Processes, each with videos of its own; memory for each."

JUDGE_HELP = (
    "A run of zoo train syncnet or its checkpoint, what zoo export syncnet wrote, or the published "
    "syncnet_v2.model."
)


class GivenJudge(NamedTuple):
    """A judge that a user gives as a file.

    Attributes:
        option: of `EvaluationOptions`.
        metrics: those that it is for.
        lacking: why these have no value without it.
    """

    option: str
    metrics: str
    lacking: str


GIVEN_JUDGES = {
    DISTANCES: GivenJudge(
        "sync_judge",
        "sync.*",
        "needs a judge of lip-sync: --sync-judge FILE, of zoo train syncnet or syncnet_v2.model",
    ),
    ARCFACE: GivenJudge(
        "identity_judge",
        "identity.csim.arcface",
        "needs ArcFace: --identity-judge FILE.onnx, InsightFace's w600k_r50.onnx for example",
    ),
    FACENET: GivenJudge(
        "facenet_judge",
        "identity.*.facenet",
        "needs FaceNet: --facenet-judge FILE, 20180402-114759-vggface2.pt",
    ),
    LPIPS_ALEX: GivenJudge(
        "lpips_judge",
        "lpips.alex",
        "needs AlexNet: --lpips-judge FILE, alexnet-owt-7be5be79.pth",
    ),
    LPIPS_VGG: GivenJudge(
        "lpips_judge", "lpips.vgg", "needs VGG16: --lpips-judge FILE, vgg16-397923af.pth"
    ),
    INCEPTION: GivenJudge(
        "fid_judge",
        "fid",
        "needs Inception: --fid-judge FILE, pt_inception-2015-12-05-6726825d.pth",
    ),
}
"""The array that a judge gives -> which judge."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is measured, and how.

    Attributes:
        device: where the judges run, ArcFace excepted.
    """

    metrics: str = field(
        default=ALL, metadata={"help": "Names with commas between; cpbd,lmd.mouth for example."}
    )
    picture: str = field(
        default="whole",
        metadata={
            "help": "What of the pictures: all, or the square around the real face at 256 px.",
            "choices": ("whole", "face"),
        },
    )
    sync_judge: Path | None = field(
        default=None, metadata={"help": f"Measure lip-sync too. {JUDGE_HELP}", "metavar": "FILE"}
    )
    identity_judge: Path | None = field(
        default=None,
        metadata={
            "help": "Measure CSIM too. ArcFace's ONNX file, InsightFace's w600k_r50.onnx for "
            "example.",
            "metavar": "FILE",
        },
    )
    facenet_judge: Path | None = field(
        default=None,
        metadata={
            "help": "Measure FaceNet's distance too. facenet-pytorch's "
            "20180402-114759-vggface2.pt.",
            "metavar": "FILE",
        },
    )
    lpips_judge: Path | None = field(
        default=None,
        metadata={
            "help": "Measure LPIPS too. torchvision's alexnet-owt-7be5be79.pth or "
            "vgg16-397923af.pth.",
            "metavar": "FILE",
        },
    )
    fid_judge: Path | None = field(
        default=None,
        metadata={
            "help": "Measure FID too. pytorch-fid's pt_inception-2015-12-05-6726825d.pth.",
            "metavar": "FILE",
        },
    )
    workers: int = field(default=1, metadata={"help": WORKERS_HELP})
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be measured; raises ValueError."""
        metrics = self.list_metrics()
        check_workers(self.workers)
        needed = {array for metric in metrics for array in metric.needs}
        asked = {judge.option for array, judge in GIVEN_JUDGES.items() if array in needed}
        for option in dict.fromkeys(judge.option for judge in GIVEN_JUDGES.values()):
            if getattr(self, option) is not None and option not in asked:
                named = [one.metrics for one in GIVEN_JUDGES.values() if one.option == option]
                raise ValueError(
                    f"--{option.replace('_', '-')} measures {' and '.join(named)}, which "
                    "--metrics leaves out"
                )

    def list_metrics(self) -> list[Metric]:
        """The metrics chosen, in the table's order for `all`."""
        if self.metrics == ALL:
            return list(METRICS.values())
        return [find_metric(name.strip()) for name in self.metrics.split(",") if name.strip()]


def check_workers(num: int) -> None:
    """ValueError for a number of processes that there cannot be."""
    if num < 1:
        raise ValueError("workers must be at least 1")
