"""The table of metrics: every row leads to a function that does what the row says."""

import inspect
import math
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

from zoo.metrics.known_pair import NUM_FRAMES, make_known_pair, repeat_real
from zoo.metrics.rows import ARRAYS
from zoo.metrics.series import average_known
from zoo.metrics.table import METRICS, Metric, find_metric, list_metrics

PAIR = make_known_pair()


@pytest.fixture(params=METRICS.values(), ids=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    """Each of them."""
    return request.param


def test_what_it_needs_are_the_functions_parameters(metric: Metric) -> None:
    """In their order; further ones have defaults."""
    parameters = inspect.signature(pkgutil.resolve_name(metric.path)).parameters
    required = [name for name, p in parameters.items() if p.default is inspect.Parameter.empty]
    assert tuple(required) == metric.needs
    assert set(metric.needs) <= set(ARRAYS)
    assert metric.better in {"higher", "lower", "near"}


def test_it_gives_a_number_or_one_for_each_frame(metric: Metric) -> None:
    """As its row says."""
    value = np.asarray(metric.measure(PAIR))
    assert value.shape == ((NUM_FRAMES,) if metric.per == "frame" else ())
    assert not math.isnan(average_known(np.atleast_1d(value)))


def test_a_video_beside_itself_is_as_good_as_can_be(metric: Metric) -> None:
    """Distances are 0, likenesses 1 or infinite; what has no real video beside it says nothing."""
    if metric.needs_real:
        best = average_known(np.atleast_1d(metric.measure(repeat_real(PAIR))))
        expected = {"lower": (0,), "higher": (1, math.inf)}[metric.better]
        assert any(best == pytest.approx(value, abs=1e-9) for value in expected)
        assert average_known(np.atleast_1d(metric.measure(PAIR))) != pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("psnr.mean", 10 * math.log10(255**2 / (2 * 40**2 / 64))),
        ("psnr.pooled", 10 * math.log10(255**2 / 25)),
        ("cpbd", 0),
        ("aed.embedded_l1", 2 / 64),
        ("aed.embedded_rms", 2 / 8),
        ("apd.angles_l1", 4),
        ("apd.angles_rms", math.sqrt(18)),
        ("apd.translation_l1", 10),
        ("blinks.rate.half", 1 / 4),
        ("blinks.rate.das", 1 / 4),
        ("blinks.duration.half", 5 / 30),  # AU45 of 2.5, 4, 4, 3, 2: half of 4 or over
        ("blinks.duration.das", 7 / 30),
        ("blinks.stretches.half", 1),
        ("mouth_sound.lag", 3 / 30),
        ("identity.csim.dlib", 0.8),
        ("identity.distance.dlib", math.sqrt(0.2**2 + 0.6**2)),
        ("identity.acd_pairs.dlib", 1.2 * 60 / 119),  # of 119 others 60 are on the other side
        ("identity.acd_reference.dlib", math.sqrt(0.2**2 + 0.6**2)),
        ("identity.map_distance.dlib", (2 / 4 + 0) / 2),
        ("identity.csim.arcface", 0.8),
        ("identity.distance.facenet", math.sqrt(0.2**2 + 0.6**2)),
        ("identity.acd_reference.facenet", math.sqrt(0.2**2 + 0.6**2)),
        ("lpips.alex", 0.9 / 2),
        ("lpips.vgg", 0.45 / 2),
        ("fid", 1 + 16 / 119),  # deviations of √(16/119), and twice that
        ("sync.offset", 2),
        ("sync.lse_c", 1.2 - 0.9),
        ("sync.lse_d", 0.9),
        ("sync.in_place", 1.1),
        ("voice_wer", 1 / 6),
        ("voice_cer", 3 / 22),  # a for t, and h and e left out
    ],
)
def test_values_of_the_known_pair(name: str, value: float) -> None:
    """Worked out from what its module says of it."""
    measured = METRICS[name].measure(PAIR)
    assert average_known(np.atleast_1d(measured)) == pytest.approx(value, abs=1e-9)


def test_metrics_are_listed_by_what_there_is_to_measure() -> None:
    names = [metric.name for metric in list_metrics({"pose", "fps"})]
    assert names == ["pose.range", "pose.speed"]
    assert list(list_metrics()) == list(METRICS.values())


def test_an_unknown_metric_names_those_there_are() -> None:
    assert find_metric("cpbd") is METRICS["cpbd"]
    with pytest.raises(ValueError, match=r"no metric 'CPBD': choose from psnr\.mean"):
        find_metric("CPBD")


def test_the_table_loads_no_library() -> None:
    """Help that names metrics is as quick as other help."""
    code = (
        "import sys, zoo.metrics.table\n"
        "print([m for m in ('cv2', 'numba', 'scipy', 'torch', 'av', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_averages_leave_out_what_is_not_known() -> None:
    assert average_known([1, math.nan, 3]) == 2
    assert math.isnan(average_known([math.nan]))
