"""Writes a synthetic dataset: shards of numbers, the manifest, and the noise-free truth."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from toolkit.dataset.manifest import FOLDER
from toolkit.dataset.rows import describe_blinks, describe_pose
from toolkit.dataset.writer import ClipRow, DatasetWriter, clip_id
from toolkit.errors import ToolkitError
from toolkit.features.voice_activity import measure_speech_share
from toolkit.media.audio import measure_agreement, measure_loudness
from toolkit.mesh import MAX_AU45
from toolkit.schema import Provenance, Source
from toolkit.storage import digest_record, write_whole
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
        id=clip_id(sha256, 0, options.num_frames),
    )


def _join(expression: Curve, pose: Curve, au45: Curve) -> Floats:
    """Motion (n, 71)."""
    motion = np.empty((len(au45), MOTION_SIZE), np.float32)
    motion[:, EXPRESSION], motion[:, POSE], motion[:, AU45] = expression, pose, au45[:, None]
    return motion


def _vary(num_frames: int, rng: np.random.Generator) -> Curve:
    """(n,) positive factors about 1: no two nods are equal, and speech does not say why."""
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
    motion[:, AU45] = np.clip(motion[:, AU45], 0, MAX_AU45)
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
    with DatasetWriter(
        out,
        f"synthetic-{digest_record(settings)}-{number:05d}",
        options=settings,
        fps=FPS,
        frame_size=0,
        provenance=_list_provenance(deepspeech, options.variant),
    ) as writer:
        for clip in clips:
            writer.add_clip(_describe_clip(clip))
            writer.add_source(_describe_source(clip))
            yield clip


def _list_provenance(deepspeech: Provenance, variant: str) -> dict[str, Provenance]:
    made = Provenance(backend="synthetic", version=f"{variant}-1")
    names = ("landmarks", "pose", "au45", "coefficients")
    return {"deepspeech": deepspeech, **dict.fromkeys(names, made)}


def _describe_clip(clip: _Clip) -> ClipRow:
    """Without what needs a picture."""
    pcm, au45, pose = clip.speech.pcm, clip.motion[:, AU45.start], clip.motion[:, POSE]
    corr, lag = measure_agreement(clip.motion[:, 0].astype(np.float64), pcm, FPS)
    return ClipRow(
        clip_id=clip.id,
        identity=clip.person.name,
        source=clip.source,
        source_sha256=clip.sha256,
        start_frame=0,
        num_frames=len(clip.motion),
        crop=(0, 0, 1, 1),
        intrinsics=(1, 1, 0, 0),
        arrays={
            "audio/deepspeech": clip.speech.scores,
            "face/expression": clip.motion[:, EXPRESSION],
            "face/pose": pose,
            "face/au45": au45,
            "face/valid": np.ones(len(clip.motion), bool),
        },
        pcm=pcm,
        measured={
            "valid_share": 1.0,
            "speech_share": measure_speech_share(pcm),
            "loudness": measure_loudness(pcm),
            "mouth_audio_corr": corr,
            "mouth_audio_lag": lag,
            **describe_blinks(au45, FPS),
            **describe_pose(pose),
        },
    )


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
