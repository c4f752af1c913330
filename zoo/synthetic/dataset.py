"""Writes a synthetic dataset: shards of numbers, the manifest, and the noise-free truth."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from toolkit.dataset.manifest import FOLDER, write_job, write_part
from toolkit.dataset.rows import describe_blinks, describe_pose
from toolkit.dataset.shard import ShardWriter, publish
from toolkit.errors import ToolkitError
from toolkit.ingest.jobs import digest_options
from toolkit.media.audio import measure_agreement, measure_loudness, measure_speech_share
from toolkit.schema import SCHEMA_VERSION, Job, Provenance, Source
from toolkit.storage import hash_file, write_whole
from zoo.data import AU45, EXPRESSION, MOTION_LAYOUT, MOTION_SIZE, POSE, WINDOW
from zoo.synthetic.mouth import MouthMap
from zoo.synthetic.options import FPS, SyntheticOptions
from zoo.synthetic.people import Person, draw_people, move
from zoo.synthetic.speech import (
    GeneratedSpeech,
    RecordedSpeech,
    Speaker,
    Speech,
    draw_pauses,
)

TRUTH = "truth.npz"
"""The noise-free motion, beside the shards."""

CLIPS_PER_SHARD = 15

_NOISE = {"expression": 0.05, "turn": 0.0015, "shift": 0.4, "au45": 0.15}
"""Deviations of what stands for errors of measurement: of a component's scale, rad, mm, AU45."""

_LIVELINESS = 0.25
_LIVELINESS_SECONDS = 0.5
"""How much, as a deviation of the logarithm, and how quickly nods and blinks vary in size."""

Floats = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Clip:
    person: Person
    speech: Speech
    truth: Floats
    motion: Floats
    source: str
    sha256: str
    id: str


def make_dataset(
    out: Path, options: SyntheticOptions, progress: Callable[[int], None] = lambda clip: None
) -> Path:
    """Write shards, manifest and `truth.npz` into a new folder; returns the truth's path.

    The same options and the same recordings give the same arrays.

    Args:
        out: the dataset's folder.
        options: what to make.
        progress: called with the number of clips done after each.

    Raises:
        ToolkitError: there is a dataset already, or too few speakers.
        ValueError: fewer clips than identities, or clips shorter than a window.
    """
    if (out / FOLDER).exists():
        raise ToolkitError(f"{out}: holds a dataset: choose another folder")
    if not 1 < options.identities <= options.clips or options.num_frames < WINDOW:
        raise ValueError(
            f"needs two identities, a clip for each and {WINDOW} frames a clip, not "
            f"{options.identities}, {options.clips} and {options.num_frames}"
        )
    speaker: Speaker = GeneratedSpeech()
    if options.speech is not None:
        speaker = RecordedSpeech(options.speech, options.identities, options.seed)
    truth = list[tuple[str, Floats]]()
    clips = _make_clips(speaker, options)
    for number in range(0, options.clips, CLIPS_PER_SHARD):
        some = itertools.islice(clips, CLIPS_PER_SHARD)
        for clip in _write_shard(out, number, some, speaker.provenance(), options):
            truth.append((clip.id, clip.truth))
            progress(len(truth))
    return _write_truth(out, truth)


# --- making -------------------------------------------------------------------------------------


def _make_clips(speaker: Speaker, options: SyntheticOptions) -> Iterator[_Clip]:
    """Clip k is of identity k mod N; the mouth is scaled on the first clip of each."""
    people = draw_people(options.identities, options.seed)
    spoken = (_speak(speaker, people, k, options) for k in range(options.clips))
    head = list(itertools.islice(spoken, len(people)))
    mouth = MouthMap([speech.scores for speech in head], options.seed)
    for k, speech in enumerate(itertools.chain(head, spoken)):
        yield _make_clip(people[k % len(people)], speech, mouth, k, options)


def _speak(speaker: Speaker, people: list[Person], k: int, options: SyntheticOptions) -> Speech:
    person = k % len(people)
    rng = np.random.default_rng([options.seed, 3, k])
    pauses = draw_pauses(people[person].blink_rate, options.num_frames, rng)
    return speaker.speak(person, options.num_frames, pauses, rng)


def _make_clip(
    person: Person, speech: Speech, mouth: MouthMap, k: int, options: SyntheticOptions
) -> _Clip:
    rng = np.random.default_rng([options.seed, 4, k])
    pose, au45 = move(person, options.variant, speech.scores, speech.pauses, rng)
    rest: Curve = person.rest + rng.normal(0, [0.02] * 3 + [20] * 3)
    nodding, blinking = (_vary(options.num_frames, rng) for _ in range(2))
    expression = mouth(speech.scores)
    truth = _join(expression, pose + rest, au45)
    moved = _join(expression, pose * nodding[:, None] + rest, au45 * blinking)
    source = f"synthetic/{person.name}/clip-{k:04d}"
    sha256 = hashlib.sha256(f"{source} {_list_options(options)}".encode()).hexdigest()
    return _Clip(
        person=person,
        speech=speech,
        truth=truth,
        motion=_measure(moved, mouth, rng),
        source=source,
        sha256=sha256,
        id=f"{sha256[:16]}-{0:06d}-{options.num_frames:05d}",
    )


def _join(expression: Curve, pose: Curve, au45: Curve) -> Floats:
    """Motion (n, 71)."""
    motion = np.empty((len(au45), MOTION_SIZE), np.float32)
    motion[:, EXPRESSION], motion[:, POSE], motion[:, AU45] = expression, pose, au45[:, None]
    return motion


def _vary(num_frames: int, rng: np.random.Generator) -> Curve:
    """(n,) positive factors about 1: nobody nods twice in the same way, and nobody can hear why."""
    noise = gaussian_filter1d(rng.standard_normal(num_frames), _LIVELINESS_SECONDS * FPS)
    return np.asarray(np.exp(_LIVELINESS * noise / noise.std()))


def _measure(moved: Floats, mouth: MouthMap, rng: np.random.Generator) -> Floats:
    """Motion with what a measurement would add to it."""
    noise = np.concatenate(
        [
            _NOISE["expression"] * mouth.scales,
            np.repeat([_NOISE["turn"], _NOISE["shift"]], 3),
            [_NOISE["au45"]],
        ]
    )
    motion = moved + rng.normal(0, noise, moved.shape)
    motion[:, AU45] = np.clip(motion[:, AU45], 0, 5)
    return np.asarray(motion, np.float32)


# --- writing ------------------------------------------------------------------------------------


def _list_options(options: SyntheticOptions) -> dict[str, object]:
    """What shaped the arrays."""
    return {
        "fps": FPS,
        "frame_size": 0,
        "synthetic": options.variant,
        "seconds": options.seconds,
        "identities": options.identities,
        "speech": "generated" if options.speech is None else "recorded",
        "seed": options.seed,
    }


def _write_shard(
    out: Path,
    number: int,
    clips: Iterator[_Clip],
    deepspeech: Provenance,
    options: SyntheticOptions,
) -> Iterator[_Clip]:
    """Write one shard and its parts of the manifest, yielding its clips as they are made."""
    settings = _list_options(options)
    job = f"synthetic-{digest_options(settings)}-{number:05d}"
    provenance = _list_provenance(deepspeech, options.variant)
    shard = out / "shards" / f"{job}.h5"
    rows, sources = list[Row](), list[Source]()
    shard.parent.mkdir(parents=True, exist_ok=True)
    with ShardWriter(
        shard.with_name(f".{shard.name}.tmp"),
        fps=FPS,
        frame_size=0,
        provenance=provenance,
        options=settings,
        spool=shard.parent / ".spool",
    ) as writer:
        for clip in clips:
            _add_clip(writer, clip)
            rows.append(_describe(clip) | {"index": len(rows)})
            sources.append(_describe_source(clip))
            yield clip
        writer.finish()
        publish(writer.path, shard)
    of_shard = {
        "shard": f"shards/{shard.name}",
        "shard_sha256": hash_file(shard),
        "options_digest": digest_options(settings),
        "schema_version": SCHEMA_VERSION,
        **{f"{name}_backend": f"{p.backend} {p.version}" for name, p in provenance.items()},
    }
    made = {"job": job, "ingested_at": datetime.now(UTC)}
    write_job(out, Job(id=job, sources=tuple(sources), options=settings))
    write_part(out, "rejected", job, [])
    write_part(out, "clips", job, [row | of_shard | made for row in rows])
    write_part(out, "sources", job, [_source_row(source) | made for source in sources])


def _list_provenance(deepspeech: Provenance, variant: str) -> dict[str, Provenance]:
    made = Provenance(backend="synthetic", version=f"{variant}-1")
    names = ("landmarks", "pose", "au45", "coefficients")
    return {"deepspeech": deepspeech, **dict.fromkeys(names, made)}


def _add_clip(writer: ShardWriter, clip: _Clip) -> None:
    writer.add_clip(
        clip_id=clip.id,
        identity=clip.person.name,
        source=clip.source,
        start_frame=0,
        num_frames=len(clip.motion),
        crop=(0, 0, 1, 1),
        intrinsics=(1, 1, 0, 0),
        arrays={
            "audio/deepspeech": clip.speech.scores,
            "face/expression": clip.motion[:, EXPRESSION],
            "face/pose": clip.motion[:, POSE],
            "face/au45": clip.motion[:, AU45.start],
            "face/valid": np.ones(len(clip.motion), bool),
        },
        pcm=clip.speech.pcm,
    )


def _describe(clip: _Clip) -> Row:
    """A row of `clips/`, but for what shard and job say; nulls where it needs a picture."""
    num_frames, pcm = len(clip.motion), clip.speech.pcm
    opening = clip.motion[:, 0].astype(np.float64)
    corr, lag = measure_agreement(opening, pcm, FPS)
    nothing = ("width", "height", "source_fps", "face_size", "sharpness")
    return {
        "clip_id": clip.id,
        "identity": clip.person.name,
        "source": clip.source,
        "source_sha256": clip.sha256,
        "start_frame": 0,
        "num_frames": num_frames,
        "source_start": 0.0,
        "duration": num_frames / FPS,
        "fps": FPS,
        **dict.fromkeys(nothing),
        "valid_share": 1.0,
        "speech_share": measure_speech_share(pcm),
        "loudness": measure_loudness(pcm),
        "mouth_audio_corr": corr,
        "mouth_audio_lag": lag,
        **describe_blinks(clip.motion[:, AU45.start], FPS),
        **describe_pose(clip.motion[:, POSE]),
    }


def _describe_source(clip: _Clip) -> Source:
    """There is no file: its size is that of the samples."""
    return Source(
        path=clip.source,
        size=clip.speech.pcm.nbytes,
        mtime_ns=0,
        sha256=clip.sha256,
        identity=clip.person.name,
        duration=len(clip.motion) / FPS,
    )


def _source_row(source: Source) -> Row:
    names = ("size", "mtime_ns", "sha256", "identity", "duration")
    row: Row = {name: getattr(source, name) for name in names}
    return row | {"source": source.path, "num_clips": 1}


def _write_truth(out: Path, truth: list[tuple[str, Floats]]) -> Path:
    path = out / TRUTH
    ids, motions = zip(*truth, strict=True)
    with write_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            layout=np.array(MOTION_LAYOUT),
            clip_id=np.array(ids),
            num_frames=np.array([len(motion) for motion in motions], np.int64),
            motion=np.concatenate(motions),
        )
    return path
