"""A dataset's sound scored by another acoustic model: a copy of the dataset, all else as it was."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.dataset.job_records import read_done_jobs
from toolkit.dataset.manifest import read_fingerprints, read_table
from toolkit.dataset.paths import decode_path, encode_path
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.writer import ClipRow, DatasetWriter
from toolkit.features.deepspeech import DeepSpeech, DeepSpeechCheckpoint
from toolkit.features.whisper import WhisperStates
from toolkit.schema import ARRAYS, CLIP_COLUMNS, Source

_Extractor = DeepSpeech | WhisperStates
"""What makes an array of a clip's sound."""


def rescore_dataset(
    dataset: Path, out: Path, weights: Path | None = None, *, with_states: bool = False
) -> None:
    """Copy a dataset with `audio/deepspeech` computed from its `audio/pcm`.

    Clips keep their ids, and sources their places. Split and rejections are not copied. Jobs that
    stand in the copy already are left as they are.

    Args:
        dataset: the dataset's folder, with scores or without.
        out: the copy's folder.
        weights: of the acoustic model; None: the embedded one.
        with_states: compute `audio/whisper` too (extra `teacher`); else it is copied, if there.

    Raises:
        SetupError: the weights are missing, damaged or refused, or the extra is.
        ToolkitError: a shard or a table is damaged, or the disk is full.
    """
    network = DeepSpeechCheckpoint(weights=weights) if weights else DeepSpeech()
    chosen = {"deepspeech": "checkpoint", "weights": str(weights)}
    options = chosen if weights else {"deepspeech": "embedded", "weights": None}
    extractors: dict[str, _Extractor] = {"deepspeech": network}
    if with_states:
        extractors["whisper"] = WhisperStates()
        options |= {"whisper": "tiny-en"}
    provenance = {name: extractor.provenance() for name, extractor in extractors.items()}
    clips, sources = (read_table(dataset, table) for table in ("clips", "sources"))
    ids, numbers, starts = read_fingerprints(dataset)
    prints = dict(zip(ids, np.split(numbers, starts[1:-1]), strict=True)) if ids else {}
    for job in sorted(set(clips["job"]) - read_done_jobs(out)):
        rows = clips[clips["job"] == job].sort_values("index")
        reader = ShardReader(dataset / rows["shard"].iloc[0])
        with DatasetWriter(
            out,
            job,
            options=reader.options | options,
            fps=reader.fps,
            frame_size=reader.frame_size,
            provenance=reader.provenance | provenance,
        ) as writer:
            for row in rows.to_dict("records"):
                source = _move(row["source"], dataset, out)
                row["fingerprint"] = prints[row["clip_id"]] if len(prints[row["clip_id"]]) else None
                writer.add_clip(_copy_clip(reader, row, source, extractors))
            for row in sources[sources["job"] == job].to_dict("records"):
                writer.add_source(_copy_source(row, _move(row["source"], dataset, out)))


def _move(source: str, dataset: Path, out: Path) -> str:
    """A source's path from the copy's folder."""
    return encode_path((dataset / decode_path(source)).resolve(), out)


def _copy_source(row: Mapping[Any, Any], path: str) -> Source:
    names = ("size", "mtime_ns", "sha256", "identity", "duration")
    return Source(path=path, **{name: row[name] for name in names})


def _copy_clip(
    reader: ShardReader, row: Mapping[Any, Any], source: str, extractors: Mapping[str, _Extractor]
) -> ClipRow:
    index = row["index"]
    clip, pcm = reader.clips[index], reader.read("audio/pcm", index)
    stored = (name for name in reader.names if ARRAYS[name].axis in ("N", "C"))
    arrays = {name: reader.read(name, index) for name in stored if _is_made(name)}
    for name, extractor in extractors.items():
        arrays[f"audio/{name}"] = extractor.compute_scores(pcm, clip.num_frames, reader.fps)
    frames = range(clip.first_frame, clip.first_frame + clip.num_frames)
    return ClipRow(
        clip_id=clip.id,
        identity=clip.identity,
        source=source,
        source_sha256=row["source_sha256"],
        start_frame=clip.start_frame,
        num_frames=clip.num_frames,
        crop=clip.crop,
        intrinsics=clip.intrinsics,
        arrays=arrays,
        pcm=pcm,
        frames=(reader.jpeg(t) for t in frames) if reader.frame_size else (),
        measured={column.name: _as_plain(row[column.name]) for column in CLIP_COLUMNS},
    )


def _is_made(name: str) -> bool:
    """Whether an array is given by a clip's writer: not the writer's own columns of `clips/`."""
    return not name.startswith("clips/") or bool(ARRAYS[name].feature)


def _as_plain(value: Any) -> Any:
    """What a table takes: lists for arrays, None for what is null."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and math.isnan(value) else value
