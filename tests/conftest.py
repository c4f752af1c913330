"""Media and datasets that many tests share, each made once in a session."""

import gc
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.media import make_bad_files, make_videos, run_ffmpeg
from tests.runs import FLAGS, QUICK_FLAGS, make_once, run_ttk

settings.register_profile(  # a busy machine is no failure
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")

gc.disable()  # until all tests are collected: what they load stays, and looking at it takes seconds

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs behind a &
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of all garbage collections: some tests ask for dozens."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for this session's media and datasets; one for all of xdist's processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "media"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_curves() -> Iterator[None]:
    """Drawing a run's curves takes longer than the tests' runs; test_loop.py draws them."""
    with pytest.MonkeyPatch.context() as patch:
        if "zoo.training.log" in sys.modules:
            patch.setattr("zoo.training.log.plot_curves", lambda *paths: None)
        yield


@pytest.fixture(scope="session")
def videos(media: Path) -> Path:
    """Four good videos of 1.5 s: person00/clip00, clip01 and person01/clip02, clip03."""
    pytest.importorskip("skimage")
    pytest.importorskip("espeakng_loader")
    return make_once(media / "videos", make_videos)


@pytest.fixture(scope="session")
def short(media: Path, videos: Path) -> Path:
    """Half a second, 15 frames, of the first of them."""

    def make(folder: Path) -> None:
        folder.mkdir()
        good = videos / "person00" / "clip00.mp4"
        run_ffmpeg("-i", good, "-ss", "0.5", "-t", "0.5", folder / "short.mp4")

    return make_once(media / "short", make) / "short.mp4"


@pytest.fixture(scope="session")
def bad_files(media: Path, videos: Path) -> dict[Path, str]:
    """Files that give no clip -> why; the duplicate is one of person00/clip00.mp4."""

    def make(folder: Path) -> None:
        reasons = make_bad_files(folder, videos / "person00" / "clip00.mp4")
        (media / "reasons.json").write_text(json.dumps(reasons))

    folder = make_once(media / "worse", make)
    reasons = json.loads((media / "reasons.json").read_text())
    return {folder / name: reason for name, reason in reasons.items()}


@pytest.fixture(scope="session")
def reference(media: Path, videos: Path, bad_files: dict[Path, str]) -> Path:
    """What an undisturbed `ttk ingest` of everything leaves, with one worker."""

    def make(folder: Path) -> None:
        words = ("ingest", videos, media / "worse", "--out", folder, "--workers", 1, *FLAGS)
        result = run_ttk(*words)
        assert result.returncode == 0, result.stderr

    return make_once(media / "reference", make)


@pytest.fixture(scope="session")
def quick_reference(media: Path, videos: Path, bad_files: dict[Path, str]) -> Path:
    """The same of landmarks and crops alone, in one process."""

    def make(folder: Path) -> None:
        words = ("ingest", videos, media / "worse", "--out", folder, *QUICK_FLAGS, "--workers", 0)
        result = run_ttk(*words)
        assert result.returncode == 0, result.stderr

    return make_once(media / "quick", make)


@pytest.fixture
def dataset(media: Path) -> Path:
    """A name for a new dataset, as far from the videos as the reference is."""
    folder = Path(tempfile.mkdtemp(dir=media, prefix="dataset-"))
    folder.rmdir()
    return folder
