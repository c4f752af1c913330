"""Jobs as Ray actors: what kills an actor, a node or the driver costs no clip."""

import functools
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runs import FLAGS, kill_group, read_dataset, run_fresh, start_ttk
from tests.toolkit.ingest.runners.test_processes import make_job, prepare_nothing
from toolkit import __version__
from toolkit.dataset.job_records import read_done_jobs
from toolkit.dataset.writer import Written
from toolkit.errors import SetupError, StorageError, ToolkitError
from toolkit.ingest import ingest
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.ray import choose_address, open_ray
from toolkit.ingest.runners.ray_actor import IngestActor
from toolkit.ingest.workspace import lock_dataset, sweep_workspaces
from toolkit.schema import Job

# --- without a cluster --------------------------------------------------------------------------


def test_without_ray_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SetupError, match=r'pip install "ttk\[ray\]"'):
        run_all([make_job("a")], tmp_path)


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """The file in which Ray notes this machine's cluster, and an address that listens."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield tmp_path / "ray" / "ray_current_cluster", f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address of this machine where nothing listens; its port is taken, so nothing will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_cluster_that_listens_is_taken(noted: tuple[Path, str]) -> None:
    file, address = noted
    assert choose_address(None) is None
    assert choose_address("auto") == "auto"
    file.write_text(address)
    assert [choose_address(a) for a in (None, "auto", "local", address)] == [
        None, "auto", "local", address,
    ]  # fmt: skip


def test_a_killed_cluster_gives_way_to_a_new_one_and_is_an_error_where_it_was_asked_for(
    noted: tuple[Path, str], silent: str
) -> None:
    file, _ = noted
    file.write_text(silent)
    with pytest.warns(UserWarning, match=r"cluster at 127.0.0.1:\d+ has ended: a new one"):
        assert choose_address(None) == "local"
    with pytest.raises(ToolkitError, match=r"--address auto: .* has ended: ray start --head"):
        choose_address("auto")


@pytest.mark.parametrize("address", ["127.0.0.1:port", "127.0.0.1:99999", ""])
def test_an_address_where_nothing_listens_is_an_error_at_once(address: str, silent: str) -> None:
    with pytest.raises(ToolkitError, match="nothing answers there: ray start --head"):
        choose_address(address or silent)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"address": "auto"}, "only with --engine ray"),
        ({"engine": "ray", "job_slice": (0, 2)}, "not with --engine ray"),
        ({"engine": "slurm"}, "local, ray"),
    ],
)
def test_options_that_contradict_each_other_are_a_callers_mistake(
    words: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        ingest(tmp_path, out=tmp_path / "data", **words)
    assert not (tmp_path / "data").exists()


def test_a_node_without_the_folder_the_sources_or_the_version_is_named(tmp_path: Path) -> None:
    actor, node = IngestActor("a"), f"node {socket.gethostname()}: "
    actor._dataset = tmp_path
    with pytest.raises(StorageError, match=f"{node}does not see .*shards"):
        actor._check(__version__, "mark")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / ".tmp-driver").write_text("of another folder")
    with pytest.raises(StorageError, match=f"{node}has another "):
        actor._check(__version__, "mark")
    actor._check(__version__, "of another folder")
    with pytest.raises(ToolkitError, match=f"{node}has ttk {__version__}, not 9"):
        actor._check("9", "of another folder")
    actor._check_seen([tmp_path])
    with pytest.raises(StorageError, match=f"{node}does not see .*b.mp4"):
        actor._check_seen([tmp_path, tmp_path / "b.mp4"])


def test_an_actor_sends_progress_warnings_and_errors_in_order(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    actor = IngestActor("a")
    actor._dataset, actor._make = tmp_path, act
    events = list(actor.run(make_job("a", "b"), {"a": "why"}, []))
    assert [(e.kind, e.source) for e in events[:-1]] == [("source", "a"), ("source", "b")]
    assert isinstance(events[-1], Written)
    assert (tmp_path / "shards" / ".tmp-a.source").read_text() == "a-b\nb"
    *_, error = actor.run(make_job("full"), {}, [])
    assert isinstance(error, StorageError)
    assert "in act" in error.__notes__[0]
    *_, error = actor.run(make_job("a"), {}, [tmp_path / "gone.mp4"])
    assert "does not see" in str(error)


def test_what_actors_set_aside_is_swept_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for name in (".tmp-0a1b-0123.h5", ".tmp-a.source", ".tmp-driver"):
        (tmp_path / "shards" / name).touch()
    sweep_workspaces(tmp_path)
    assert not list((tmp_path / "shards").iterdir())


# --- on a cluster of this machine ---------------------------------------------------------------


def act(
    job: Job, dataset: Path, crashes: Crashes, report: Callable[[Progress], None], *, workspace: str
) -> Written:
    """Do to this actor what the source's name says; the shard is a text of what was run."""
    done = []
    for source in job.sources:
        report(Progress("source", job.id, source.path))
        if source.path in crashes:
            done.append(f"{source.path} failed: {crashes[source.path]}")
            continue
        tried = dataset / f"{source.path}.tried"
        if source.path == "full":
            raise StorageError("the disk is full")
        if source.path.startswith("kill") or (source.path == "once" and not tried.exists()):
            tried.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if source.path.startswith("long"):
            tried.touch()
            while not (dataset / "go").exists():
                time.sleep(0.05)
        done.append(source.path)
    shard = dataset / "shards" / f".tmp-{job.id}-{workspace}.h5"
    shard.write_text("\n".join(done))
    rows: dict[str, list[dict[str, object]]] = {"clips": [], "rejected": [], "sources": []}
    return Written(job=job, shard=shard, rows=rows)


def run_all(
    jobs: list[Job], dataset: Path, address: str | None = None, workers: int = 2
) -> list[Progress]:
    events: list[Progress] = []
    with lock_dataset(dataset):
        options = {"workers": workers, "address": address, "prepare": prepare_nothing}
        with open_ray(jobs, dataset, make=act, **options) as run:  # type: ignore[arg-type]
            run(jobs, dataset, events.append)
    return events


def read_shard(dataset: Path, job_id: str) -> str:
    return (dataset / "shards" / f"{job_id}.h5").read_text()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a core each; processes of this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        few = {"num_cpus": 1, "include_dashboard": False, "include_log_monitor": False}
        found = Cluster(initialize_head=True, head_node_args=few)
        found.second = found.add_node(**few)
        yield found
        found.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_source_that_kills_its_actor_twice_is_failed_and_the_rest_goes_on(
    cluster: Any, tmp_path: Path
) -> None:
    jobs = [make_job("a", "kill", "b"), make_job("once"), make_job("c"), make_job("d")]
    events = run_all(jobs, tmp_path, cluster.address)
    assert read_shard(tmp_path, "a-kill-b") == "a\nkill failed: it killed its worker 2 times\nb"
    assert [read_shard(tmp_path, name) for name in ("once", "c", "d")] == ["once", "c", "d"]
    assert read_done_jobs(tmp_path) == {job.id for job in jobs}
    assert sorted(e.job for e in events if e.kind == "job_done") == sorted(j.id for j in jobs)
    assert not list((tmp_path / "shards").glob(".*"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_error_of_a_job_ends_the_run_as_it_was_raised(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        run_all([make_job("full")], tmp_path, cluster.address)
    assert read_done_jobs(tmp_path) == set()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_jobs_of_a_node_that_is_lost_are_run_by_the_others(cluster: Any, tmp_path: Path) -> None:
    """Last of the cluster's tests: the node stays away."""
    ended = threading.Event()

    def lose() -> None:
        while len(list(tmp_path.glob("long*.tried"))) < 2:
            if ended.wait(0.05):
                return
        cluster.remove_node(cluster.second, allow_graceful=False)
        (tmp_path / "go").touch()

    thread = threading.Thread(target=lose)
    thread.start()
    jobs = [make_job("long1"), make_job("long2"), make_job("a")]
    try:
        run_all(jobs, tmp_path, cluster.address)
    finally:
        ended.set()
        thread.join()
    assert (tmp_path / "go").exists()
    assert [read_shard(tmp_path, job.id) for job in jobs] == ["long1", "long2", "a"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_driver_killed_at_work_and_run_again_gives_what_local_workers_give(
    reference: Path, dataset: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    pytest.importorskip("ray")
    words = ("ingest", videos, next(iter(bad_files)).parent, "--out", dataset, *FLAGS)
    ray = ("--engine", "ray", "--address", "local", "--workers", 2)
    process = start_ttk(*words, *ray)
    wait = functools.partial(time.sleep, 0.05)
    while process.poll() is None and not list(dataset.glob("shards/.tmp-*/mesh.f32")):
        wait()
    assert process.poll() is None
    kill_group(process)
    done = run_fresh(*words, *ray)
    assert done.returncode == 0, done.stderr
    assert read_dataset(dataset) == read_dataset(reference)
    shutil.rmtree(dataset)
