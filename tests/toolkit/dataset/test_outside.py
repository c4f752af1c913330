"""Datasets from elsewhere, changed in every way: no command opens a file outside of them."""

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.datasets import OPTIONS, FakeClip, write_dataset
from tests.watch import watch
from toolkit.cli import main
from toolkit.dataset.split import split_dataset
from toolkit.errors import ToolkitError
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.schema import ARRAYS
from zoo.data import load_clips
from zoo.data.frames import load_render_clips

PENDING = "0123456789ab"
LIGHT = IngestOptions(frame_size=0, pose="none", deepspeech="none", coefficients="none")
CLIPS = [FakeClip(source=f"{i}.mp4", identity=f"p{i}", num_frames=40) for i in range(4)]

Change = Callable[[Path, Path, st.DataObject], object]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside one another: a whole dataset, what lies outside, what the user ingests."""
    root = tmp_path_factory.mktemp("original")
    data, outside = root / "data", root / "outside"
    write_dataset(data, {"a": CLIPS[:2], "b": CLIPS[2:]}, frame_size=16)
    split_dataset(data)
    shutil.copytree(data, outside / "copy")
    for name in ("notes.txt", "video.mp4"):
        (outside / name).write_text("mine")
    (root / "videos").mkdir()
    (root / "videos" / "a.mp4").write_text("no video")
    return root


# --- changes ------------------------------------------------------------------------------------


OWN = (
    "shards/.tmp-x", f"shards/.tmp-{PENDING}", "shards/z.h5", "manifests/x",
    "manifests/.split.parquet.tmp", "manifests/clips/.a.parquet.tmp", "manifests/clips/z.parquet",
    f"manifests/jobs/.{PENDING}.json.tmp", f"manifests/jobs/{PENDING}.json",
)  # fmt: skip
"""Names that commands give to files of their own."""


def is_own(path: Path, data: Path) -> bool:
    """Whether it is still there, and not behind a link that was made before."""
    return path.exists() and path.resolve().is_relative_to(data.resolve())


def link_out(data: Path, outside: Path, draw: st.DataObject) -> None:
    """A file or folder becomes a link to one outside."""
    names = [path.relative_to(data).as_posix() for path in sorted(data.rglob("*"))]
    place = data / draw.draw(st.sampled_from(names) | st.sampled_from(OWN), "place")
    if not is_own(place.parent, data):
        return
    copy = outside / "copy" / place.relative_to(data)
    others = [outside, outside / "notes.txt", outside / "gone"]
    target = draw.draw(st.sampled_from(others + [copy] * (3 if copy.exists() else 0)), "target")
    if draw.draw(st.booleans(), "relative"):
        target = Path(os.path.relpath(target, place.parent))
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    place.symlink_to(target)


def draw_path(outside: Path, draw: st.DataObject) -> str:
    """A path that leads to a file outside, or to something like it."""
    name = draw.draw(st.sampled_from(["copy/shards/a", "notes.txt", "video.mp4", "copy", ""]))
    front = draw.draw(
        st.sampled_from(["../outside/", f"{outside}/", "shards/../../outside/", "../../outside/"])
    )
    return front + name + draw.draw(st.sampled_from(["", ".h5", "\0", "\\x00"]), "end")


def change_cell(data: Path, outside: Path, draw: st.DataObject) -> None:
    """A text of a table becomes a path."""
    table = draw.draw(st.sampled_from(["clips", "rejected", "sources"]), "table")
    column = draw.draw(st.sampled_from(["job", "source", "shard", "identity", "clip_id"]), "column")
    path = data / "manifests" / table / "a.parquet"
    if not is_own(path, data):
        return
    content = pq.read_table(path)
    if column in content.schema.names and len(content):
        text = draw.draw(st.none() | st.just(draw_path(outside, draw)), "text")
        place = content.schema.get_field_index(column)
        values = [text, *content.column(column).cast("string").to_pylist()[1:]]
        content = content.set_column(place, column, pa.array(values, "string"))
        pq.write_table(content.replace_schema_metadata(None), path)


def record_job(data: Path, outside: Path, draw: st.DataObject) -> None:
    """A job that did not end, of a file outside as it is."""
    video = outside / "video.mp4"
    state = video.stat()
    path = draw.draw(st.sampled_from(["../outside/video.mp4", str(video)]), "path")
    source = {
        "path": path, "size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": "0" * 64,
        "identity": "x", "duration": 1.0,
    }  # fmt: skip
    job_id = draw.draw(st.sampled_from([PENDING, "../../outside/notes", "mine"]), "id")
    stem = draw.draw(st.sampled_from([PENDING, "mine", "a b"]), "stem")
    text = json.dumps({"id": job_id, "sources": [source], "options": OPTIONS, "attempt": 1})
    folder = data / "manifests" / "jobs"
    if is_own(folder, data):
        (folder / f"{stem}.json").unlink(missing_ok=True)
        (folder / f"{stem}.json").write_text(text)


def change_shard(data: Path, outside: Path, draw: st.DataObject) -> None:
    """An array or a group of a shard lies in another file."""
    path = data / "shards" / "a.h5"
    if not is_own(path, data):
        return
    other = str(outside / "copy" / "shards" / "a.h5")
    if draw.draw(st.booleans(), "relative"):
        other = "../../outside/copy/shards/a.h5"
    name = draw.draw(st.sampled_from(sorted(ARRAYS)), "name")
    how = draw.draw(st.sampled_from(["link", "group", "soft", "store", "virtual", "open"]), "how")
    with h5py.File(path, "r+") as file:
        if name not in file or (how != "group" and file[name].dtype.hasobject):
            return
        found = file[name]
        shape, dtype = found.shape, found.dtype
        group = name.split("/")[0]
        del file[group if how == "group" else name]
        if how in ("link", "group"):
            place = group if how == "group" else name
            file[place] = h5py.ExternalLink(other, place)
        elif how == "soft":
            way = f"way{len(file)}"
            file[way] = h5py.ExternalLink(other, name)
            file[name] = h5py.SoftLink(f"/{way}")
        elif how == "store":
            size = int(np.prod(shape)) * dtype.itemsize
            file.create_dataset(name, shape, dtype, external=[(other, 0, size)])
        else:
            size = (None, *shape[1:]) if how == "open" else shape
            layout = h5py.VirtualLayout(shape, dtype, maxshape=size)
            source = h5py.VirtualSource(other, name, shape, dtype, maxshape=size)
            every = (slice(0, h5py.h5s.UNLIMITED if how == "open" else shape[0]),)
            layout[every] = source[every]
            file.create_virtual_dataset(name, layout)


CHANGES: list[Change] = [link_out, change_cell, record_job, change_shard]


# --- commands -----------------------------------------------------------------------------------


def run_all(root: Path, data: Path) -> Iterator[str]:
    """Every command that opens a dataset; yields what is no explanation."""
    where = ("--data", str(data))
    for words in (
        ("validate", *where),
        ("validate", "--quick", *where),
        ("stats", *where),
        ("stats", "--by", "split", "--blinks", *where),
        ("ls", *where),
        ("ls", "rejected", *where),
        ("ls", "sources", *where),
        ("show", CLIPS[0].id, "--sheet", str(root / "sheet.png"), *where),
        ("split", "--reassign", "--ratio", "1-1-1", *where),
    ):
        result = CliRunner().invoke(main, words)
        if not isinstance(result.exception, SystemExit | None):
            yield f"{words[0]}: {result.exception!r}"
    for load in (
        lambda: load_clips(data / "shards", split=None, min_frames=1),
        lambda: load_clips(data, split="train", min_frames=1),
        lambda: load_render_clips(data, identity="p0"),
        lambda: ingest(root / "videos", LIGHT, out=data),
        lambda: ingest(root / "videos", LIGHT, out=data, retry_rejected=True),
    ):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load()
        except ToolkitError:
            pass
        except Exception as error:
            yield repr(error)


def list_content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@settings(max_examples=20, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(draw=st.data(), changes=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3))
def test_no_command_opens_a_file_outside_of_a_changed_dataset(
    original: Path,
    tmp_path_factory: pytest.TempPathFactory,
    draw: st.DataObject,
    changes: list[Change],
) -> None:
    root = tmp_path_factory.mktemp("changed")
    shutil.copytree(original, root, dirs_exist_ok=True)
    data, outside = root / "data", root / "outside"
    for change in changes:
        change(data, outside, draw)
    before = list_content(outside)
    with watch(outside) as seen:
        unexplained = list(run_all(root, data))
    assert not seen
    assert not unexplained
    assert list_content(outside) == before
    shutil.rmtree(root)


def test_what_hdf5_opens_is_seen(original: Path, tmp_path: Path) -> None:
    """The watch itself: reading through an external link opens the other file, in C."""
    shutil.copytree(original / "outside", tmp_path / "outside")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "outside/copy/shards/a.h5"), "face")
    with watch(tmp_path / "outside") as seen, h5py.File(tmp_path / "a.h5") as file:
        assert "pose" in file["x"]
    assert any("shards/a.h5: opened" in event for event in seen)
    with watch(tmp_path / "outside") as seen:
        (tmp_path / "outside" / "notes.txt").unlink()
    assert seen == [f"{tmp_path}/outside/notes.txt: deleted"]
