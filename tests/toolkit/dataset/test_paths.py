"""The door: a dataset from elsewhere names and reads no file outside its folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets import FakeClip, write_dataset
from toolkit.dataset.job_records import delete_job, read_jobs
from toolkit.dataset.manifest import find_part, read_table, write_split
from toolkit.dataset.paths import check_shard
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import ManifestError, ShardError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", {"a": [FakeClip(num_frames=90)]})


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the dataset that no command may touch."""
    path = tmp_path / "outside.h5"
    path.write_text("mine")
    return path


IDS = ["../outside", "/tmp/x", "a/b", "", ".", "..", "a.b", "a\\b", "a\n", "á"]


@pytest.mark.parametrize("job_id", IDS)
def test_an_id_that_is_a_path_deletes_and_names_nothing(
    job_id: str, dataset: Path, outside: Path
) -> None:
    for use in (
        lambda: find_part(dataset, "clips", job_id),
        lambda: delete_job(dataset, job_id),
    ):
        with pytest.raises(ManifestError, match=r"is no job's id"):
            use()
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("job_id", IDS)
def test_a_record_of_another_id_than_its_name_is_refused(job_id: str, dataset: Path) -> None:
    (record,) = (dataset / "manifests" / "jobs").glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"id": job_id}))
    with pytest.raises(ManifestError, match=f"{record.name}: damaged"):
        read_jobs(dataset)


@pytest.mark.parametrize(
    "shard", ["../outside.h5", "shards/../../outside.h5", "/etc/passwd", "shards/a.h5/x", "a.h5"]
)
def test_a_shard_that_lies_elsewhere_is_refused_by_every_reader(
    shard: str, dataset: Path, outside: Path
) -> None:
    with pytest.raises(ManifestError, match="no shard of this dataset"):
        check_shard(shard, dataset, dataset)
    (part,) = (dataset / "manifests" / "clips").glob("*.parquet")
    content = pq.read_table(part)
    place = content.schema.get_field_index("shard")
    column = content.column("shard").cast("string").to_pylist()
    content = content.set_column(place, "shard", pa.array([shard] * len(column)))
    pq.write_table(content.replace_schema_metadata(None), part)  # as a tamperer can
    for read in (lambda: read_table(dataset, "clips"), lambda: validate_dataset(dataset)):
        with pytest.raises(ManifestError, match="no shard of this dataset"):
            read()


@pytest.mark.parametrize(
    "name", ["shards/{0}", "manifests/clips/{1}", "manifests/jobs/{2}", "shards", "manifests/clips"]
)
def test_a_link_that_leads_out_of_the_dataset_is_refused(
    name: str, dataset: Path, tmp_path: Path
) -> None:
    names = [next((dataset / f).iterdir()).name for f in ("shards", "manifests/clips",
                                                          "manifests/jobs")]  # fmt: skip
    path = dataset / name.format(*names)
    shutil.move(path, tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(ManifestError, match="lies outside of"):
        read_jobs(dataset)
        read_table(dataset, "clips")


def test_a_split_is_not_written_through_a_link(dataset: Path, outside: Path) -> None:
    (dataset / "manifests" / "split.parquet").symlink_to(outside)
    with pytest.raises(ManifestError, match="lies outside of"):
        write_split(dataset, [])
    assert outside.read_text() == "mine"


def _link(file: h5py.File, other: Path) -> None:
    del file["face/pose"]
    file["face/pose"] = h5py.ExternalLink(str(other), "face/pose")


def _link_group(file: h5py.File, other: Path) -> None:
    del file["face"]
    file["face"] = h5py.ExternalLink(str(other), "face")


def _soften(file: h5py.File, other: Path) -> None:
    del file["face/pose"]
    file["face/pose"] = h5py.SoftLink("/face/au45")


def _store_elsewhere(file: h5py.File, other: Path) -> None:
    shape = file["face/pose"].shape
    del file["face/pose"]
    external = [(str(other), 0, int(np.prod(shape)) * 4)]
    file.create_dataset("face/pose", shape, "float32", external=external)


def _make_virtual(file: h5py.File, other: Path) -> None:
    shape = file["face/pose"].shape
    del file["face/pose"]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[:] = h5py.VirtualSource(str(other), "face/pose", shape, "float32")
    file.create_virtual_dataset("face/pose", layout)


@pytest.mark.parametrize(
    "change",
    [_link, _link_group, _soften, _store_elsewhere, _make_virtual],
    ids=lambda change: change.__name__,
)
def test_a_shard_that_reads_from_other_files_is_refused(
    change: Callable[[h5py.File, Path], None], dataset: Path, tmp_path: Path
) -> None:
    (shard,) = (dataset / "shards").glob("*.h5")
    other = tmp_path / "other.h5"
    shutil.copy(shard, other)
    with h5py.File(shard, "r+") as file:
        change(file, other)
    with pytest.raises(ShardError, match="a shard holds its arrays itself"):
        ShardReader(shard)
