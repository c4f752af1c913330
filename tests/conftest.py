"""Media and datasets that many tests share, each made once in a session."""

import fcntl
import gc
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.media import make_bad_files, make_videos
from tests.runs import FLAGS, run_ttk

settings.register_profile("project", deadline=None)  # a busy machine is no failure
settings.load_profile("project")

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads would only get in
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one another's way, and spin while they wait


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs behind a &
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of all garbage collections: some tests ask for dozens."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for this session's media and datasets; one for all of xdist's processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "media"
    folder.mkdir(exist_ok=True)
    return folder


def _make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make(folder)
    return folder


@pytest.fixture(scope="session")
def videos(media: Path) -> Path:
    """Four good videos of 1.5 s: person00/clip00, clip01 and person01/clip02, clip03."""
    pytest.importorskip("skimage")
    pytest.importorskip("espeakng_loader")
    return _make_once(media / "videos", make_videos)


@pytest.fixture(scope="session")
def bad_files(media: Path, videos: Path) -> dict[Path, str]:
    """Files that give no clip -> why; the duplicate is one of person00/clip00.mp4."""

    def make(folder: Path) -> None:
        reasons = make_bad_files(folder, videos / "person00" / "clip00.mp4")
        (media / "reasons.json").write_text(json.dumps(reasons))

    folder = _make_once(media / "worse", make)
    reasons = json.loads((media / "reasons.json").read_text())
    return {folder / name: reason for name, reason in reasons.items()}


@pytest.fixture(scope="session")
def reference(media: Path, videos: Path, bad_files: dict[Path, str]) -> Path:
    """What an undisturbed `ttk ingest` of everything leaves, with one worker."""

    def make(folder: Path) -> None:
        made = folder.with_name("making")
        result = run_ttk("ingest", videos, media / "worse", "--out", made, "--workers", 1, *FLAGS)
        assert result.returncode == 0, result.stderr
        made.rename(folder)

    return _make_once(media / "reference", make)


@pytest.fixture
def dataset(media: Path) -> Path:
    """A name for a new dataset, as far from the videos as the reference is."""
    folder = Path(tempfile.mkdtemp(dir=media, prefix="dataset-"))
    folder.rmdir()
    return folder
