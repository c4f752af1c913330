"""A dataset folder for Hugging Face `datasets`: parquet files, a card, Croissant metadata.

One row is a clip: the manifest's columns, `audio` (WAV), `video` (MP4, where frames are stored) and
every array. Leading axes are lists, the others lists of known length, so that types say shapes.
"""

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.table_file import make_schema
from toolkit.errors import ShardError
from toolkit.export.card import write_card
from toolkit.export.clips import SAMPLE_RATE, Array, ExportClip, list_clips, open_clips
from toolkit.export.croissant import write_croissant
from toolkit.export.folder import ExportFile, ExportReport, Progress, part_clips, write_files
from toolkit.export.options import HubOptions
from toolkit.schema import ARRAYS

_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How `datasets` stores a file in a column."""

_FEATURES = {
    "audio": {"_type": "Audio", "sampling_rate": SAMPLE_RATE},
    "video": {"_type": "Video"},
}
"""What the types of columns do not say, in the words of `datasets`."""


def export_hub(
    dataset: Path, out: Path, options: HubOptions, progress: Progress | None = None
) -> ExportReport:
    """Write `data/PART-00000-of-00001.parquet` and so on, `README.md` and `croissant.json`.

    Every file holds at most 20 minutes of clips of one part of the split, a row group for each.

    Raises:
        ToolkitError: no such clips, a damaged shard, or see `write_files`.
    """
    clips = list_clips(dataset, options)
    first = next(open_clips(dataset, clips[:1]))
    files = [
        ExportFile(
            name=f"data/{part}-{number:05d}-of-{len(groups):05d}.parquet",
            num_clips=len(rows),
            write=partial(_write_parquet, dataset, rows, first),
        )
        for part, groups in part_clips(clips)
        for number, rows in enumerate(groups)
    ]
    about = (
        ("README.md", partial(write_card, clips, first, out.resolve().name, options)),
        ("croissant.json", partial(write_croissant, first, out.resolve().name, options)),
    )
    files += [ExportFile(name=name, num_clips=0, write=write) for name, write in about]
    return write_files(out, "hf", clips, options, files, progress)


def _write_parquet(dataset: Path, rows: pd.DataFrame, first: ExportClip, path: Path) -> None:
    schema = make_hub_schema(first)
    with (
        tempfile.TemporaryDirectory(prefix="ttk-export-") as folder,
        pq.ParquetWriter(path, schema, use_dictionary=False) as writer,
    ):
        for clip in open_clips(dataset, rows):
            if clip.arrays != first.arrays or clip.reader.frame_size != first.reader.frame_size:
                raise ShardError(
                    f"{clip.reader.path}: holds other arrays than {first.reader.path}: export "
                    "clips of one kind, chosen by --where"
                )
            writer.write_table(_make_row(clip, schema, Path(folder)))


def make_hub_schema(clip: ExportClip) -> pa.Schema:
    """The columns that clips of this kind have."""
    columns = make_schema("clips")
    fields = [
        columns.field(name) if name in columns.names else pa.field(name, pa.string())
        for name in clip.describe()
    ]
    media = ["audio", "video"] if clip.reader.frame_size else ["audio"]
    fields += [pa.field(name, _MEDIA) for name in media]
    fields += [pa.field(short, _array_type(name)) for short, name in clip.arrays.items()]
    features = {"info": {"features": {name: _FEATURES[name] for name in media}}}
    return pa.schema(fields, {"huggingface": json.dumps(features)})


def _array_type(name: str) -> pa.DataType:
    spec = ARRAYS[name]
    kind = pa.from_numpy_dtype(np.dtype(spec.dtype))
    for size in reversed(spec.shape):
        kind = pa.list_(kind, size)
    return pa.list_(kind) if spec.axis == "N" else kind


def _make_row(clip: ExportClip, schema: pa.Schema, folder: Path) -> pa.Table:
    row = clip.describe()
    columns = {name: pa.array([value], schema.field(name).type) for name, value in row.items()}
    media = {"audio": (clip.make_wav(), "wav"), "video": (clip.make_mp4(folder), "mp4")}
    for name, (content, ending) in media.items():
        if content is not None:
            file = {"bytes": content, "path": f"{clip.id}.{ending}"}
            columns[name] = pa.array([file], _MEDIA)
    columns |= {short: _make_array(clip.read(name), name) for short, name in clip.arrays.items()}
    return pa.table(columns, schema=schema)


def _make_array(values: Array, name: str) -> pa.Array:
    """A column of one row, without a Python object for every number."""
    column = pa.array(values.reshape(-1))
    for size in reversed(ARRAYS[name].shape):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    if ARRAYS[name].axis != "N":
        return column
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), column)
