"""A video beside the real one, moment by moment: arrays in, a value of every metric out.

Both lie on one clock, that of the measured video, so that each of its frames stands beside the real
frame of its time. Its pictures and landmarks are put into the real picture's size first; what
needs no real picture (CPBD) sees its own pixels.
Legend: n frames of a stretch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.dataset.blink_stats import count_stretches
from toolkit.errors import SourceError
from toolkit.features.blink import find_blinks
from toolkit.schema import Blink, Reason
from zoo.evaluation.gallery import Gallery
from zoo.evaluation.judges import Judges
from zoo.evaluation.lips import judge_shown
from zoo.evaluation.options import GIVEN_JUDGES
from zoo.evaluation.perception import FeatureFile, PairDistances
from zoo.evaluation.recognition import FEATURES, MAPS, Recognition, explain_recogniser
from zoo.evaluation.sync import Judge
from zoo.evaluation.tracked import (
    Arrays,
    Picture,
    Shown,
    StillVideo,
    list_stretches,
)
from zoo.evaluation.view import View
from zoo.evaluation.voice import RECOGNISED, TRANSCRIPT, listen
from zoo.metrics.aspect_blinks import find_drops
from zoo.metrics.pictures import measure_squared_error
from zoo.metrics.rows import ARCFACE, COMPARING, DISTANCES, FACENET, INCEPTION
from zoo.metrics.series import average_finite
from zoo.metrics.table import Metric

PER_STRETCH = frozenset(("landmarks", "real_landmarks", "pcm", "speech"))
"""What needs one of these is measured stretch by stretch, so that memory does not grow with a
video's length; everything else over the whole video."""

_FACE = ("landmarks", "pose", "expression", "au45", "ear", FEATURES, MAPS, ARCFACE, FACENET)
"""Arrays of a face."""

_NO_VALUE = "has no value in these videos"

_NO_JUDGES = Judges()

_UNJUDGED = {Reason.NO_AUDIO: "has no sound", Reason.NO_FACE: "shows no face"}
"""What a judge of lip-sync cannot do without."""


@dataclass(kw_only=True)
class Measured:
    """What was measured in one video.

    Attributes:
        values: metric -> its value; infinite where pictures are equal (PSNR).
        missing: metric -> why it has none.
        fps, num_frames: of the clock, and how many of its frames were measured.
        notes: what else a reader must know.
        blinks: definition, `half` or `das`, -> what FACIAL's Fig. 9 shows.
    """

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    fps: int = 0
    num_frames: int = 0
    notes: list[str] = field(default_factory=list)
    blinks: dict[str, "Blinks"] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Blinks:
    """Blinks of one video.

    Attributes:
        counts: how many begin in each whole stretch of 4 s.
        durations: how long each lasts, s.
    """

    counts: list[int]
    durations: list[float]


def measure_video(
    shown: Shown,
    real: Shown | None,
    view: View,
    metrics: Sequence[Metric],
    gallery: Path | None = None,
    judges: Judges = _NO_JUDGES,
    features: Path | None = None,
) -> Measured:
    """Every metric of a video on its clock, beside the real one on the same clock.

    Args:
        shown: the measured video.
        real: None: what needs it has no value.
        view: of the real video, or of the measured one without it.
        metrics: those to measure.
        gallery: where its sheet and its trace map are written; None: nowhere.
        judges: those that the user gave.
        features: file for what metrics of a set need of its pictures, see `FeatureFile`; None:
            nothing is kept. These have no value of one video.

    Raises:
        ValueError: the two share no moment.
    """
    both = [shown] if real is None else [shown, real]
    first, last = max(v.first for v in both), min(v.last for v in both)
    if first >= last:
        raise ValueError("it and the real video share no moment")
    for video in both:
        video.calibrate(first, last)
    tally = _Tally([metric for metric in metrics if metric.per != "set"])
    pictures = Gallery(gallery, first, last)
    faces = Recognition(metrics, first, last, judges.list_recognisers())
    pairs = PairDistances(metrics, None if real is None else judges.lpips)
    kept = FeatureFile(metrics, judges.fid, features)
    voice = listen(metrics, shown.video, None if real is None else real.video)
    lips, unjudged = _judge_lips(shown, judges.sync, metrics, (first, last))
    tally.add(lips)
    for start, stop in list_stretches(first, last, shown.fps):
        arrays = _gather(shown, real, view, start, stop)
        faces.begin(start, arrays)
        collectors = pictures, faces, pairs, kept
        arrays |= _compare_pictures(shown, real, view, (start, stop), metrics, collectors)
        arrays |= faces.take() | pairs.take() | voice.arrays
        kept.write()
        pictures.add_meshes(arrays.get("landmarks"), view.picture_size)
        tally.add(arrays)
    found = Measured(fps=shown.fps, num_frames=last - first)
    pictures.write()
    reasons = judges.list_lacking() | {DISTANCES: unjudged}
    reasons |= dict.fromkeys((TRANSCRIPT, RECOGNISED), voice.problem)
    found.missing = {
        metric.name: reasons.get(INCEPTION) or explain_missing(f"real_{INCEPTION}", shown, real)
        for metric in metrics
        if metric.per == "set" and (judges.fid is None or real is None)
    }
    tally.finish(found, lambda name: reasons.get(name) or explain_missing(name, shown, real))
    found.notes = _note(shown, real, first, last)
    if voice.note and not isinstance(shown, StillVideo):
        found.notes.append(voice.note)
    return found


def _judge_lips(
    shown: Shown, judge: Judge | None, metrics: Sequence[Metric], frames: tuple[int, int]
) -> tuple[Arrays, str]:
    """Distances of lips and sound in frames [first, last), if a metric asks; or why there are none.

    They are of the whole stretch at once: shifts go across the stretches in which others measure.
    """
    if judge is None or not any(metric.needs_sync_judge for metric in metrics):
        return {}, GIVEN_JUDGES[DISTANCES].lacking
    try:
        return {DISTANCES: judge_shown(shown, judge, *frames)}, ""
    except ValueError as error:
        return {}, f"the video {error}"
    except SourceError as error:
        if error.reason not in _UNJUDGED:
            raise
        return {}, f"the video {_UNJUDGED[error.reason]}: {error}"


def explain_missing(name: str, shown: Shown, real: Shown | None) -> str:
    """Why there is no such array."""
    if name.startswith("real_") or name in COMPARING:
        if real is None:
            return "needs the real video: --real"
        base, video, whose = name.removeprefix("real_"), real, "the real video"
    else:
        base, video, whose = name, shown, "the video"
    if base in ("pcm", "speech") and video.video.silence:
        return f"{whose} has no sound: {video.video.silence}"
    if base == "speech" and video.silent_detector:
        return video.silent_detector
    if base in (FEATURES, MAPS) and explain_recogniser():
        return explain_recogniser()
    if base in _FACE and not video.video.has_face:
        return f"{whose} shows no face"
    return f"needs {name}"


def _gather(shown: Shown, real: Shown | None, view: View, first: int, last: int) -> Arrays:
    arrays = shown.read_arrays(first, last)
    if "landmarks" in arrays:
        arrays["landmarks"] = view.place(arrays["landmarks"], shown.video.size)
    if real is not None:
        others = real.read_arrays(first, last)
        if "landmarks" in others:
            others["landmarks"] = view.place(others["landmarks"], real.video.size)
        arrays |= {f"real_{name}": values for name, values in others.items()}
    return arrays | {"picture_size": view.picture_size, "fps": shown.fps}


def _compare_pictures(
    shown: Shown,
    real: Shown | None,
    view: View,
    stretch: tuple[int, int],
    metrics: Sequence[Metric],
    collectors: Sequence[Gallery | Recognition | PairDistances | FeatureFile],
) -> Arrays:
    """Metric -> (n,) values of a stretch's pictures, and `squared_errors` (n,) beside a real one.

    What was measured of two pictures that are shown again is not measured again.
    """
    given = {"frames"} if real is None else {"frames", "real_frames"}
    chosen = [m for m in metrics if m.per == "picture" and set(m.needs) <= given]
    collectors = [collector for collector in collectors if collector.is_needed]
    if not (chosen or collectors or any("squared_errors" in m.needs for m in metrics)):
        return {}
    rows, row = list[dict[str, float]](), dict[str, float]()
    before: Sequence[Picture | None] = [None] * len(given)
    seen = list[Picture]()
    for frame, pair in zip(range(*stretch), _pair_pictures(shown, real, stretch), strict=True):
        is_again = [a is b for a, b in zip(pair, before, strict=True)]
        if not all(is_again):
            seen = [
                seen[k] if is_again[k] else view.show(picture) for k, picture in enumerate(pair)
            ]
            before = pair
            arrays = dict(zip(("frames", "real_frames"), seen, strict=False))
            own = {"frames": view.show_own(pair[0])}
            row = {m.name: m.measure(arrays if m.needs_real else own) for m in chosen}
            if real is not None:
                row["squared_errors"] = measure_squared_error(*seen)
        for collector in collectors:
            collector.add_pictures(frame, seen)
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in row}


def _pair_pictures(
    shown: Shown, real: Shown | None, stretch: tuple[int, int]
) -> Iterator[tuple[Picture, ...]]:
    videos = [shown] if real is None else [shown, real]
    return zip(*(video.read_pictures(*stretch) for video in videos), strict=True)


class _Tally:
    """Values of metrics from stretch to stretch."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._parts: dict[str, list[tuple[float, int]]] = {m.name: [] for m in metrics}
        self._whole: dict[str, list[Any]] = {}
        self._lacking: dict[str, str] = {}
        self._errors: dict[str, str] = {}

    def add(self, arrays: Mapping[str, Any]) -> None:
        """Arrays and pictures' values of a stretch."""
        self._known = set(arrays)
        for name, values in arrays.items():
            if name not in PER_STRETCH and np.ndim(values) and name != "picture_size":
                self._whole.setdefault(name, []).append(values)
            elif name not in PER_STRETCH:
                self._whole[name] = [values]
        for metric in self._metrics:
            if metric.per != "picture" and PER_STRETCH & set(metric.needs):
                self._measure(metric, arrays)

    def finish(self, found: Measured, explain: Any) -> None:
        """Put every metric's value, or why it has none, into what was measured."""
        whole = {
            name: parts[0] if not np.ndim(parts[0]) or name == "picture_size"
            else np.concatenate(parts)
            for name, parts in self._whole.items()
        }  # fmt: skip
        for metric in self._metrics:
            if metric.per == "picture" and metric.name in whole:
                self._add(metric.name, whole[metric.name])
            elif metric.per != "picture" and not PER_STRETCH & set(metric.needs):
                self._measure(metric, whole)
        found.blinks = _list_blinks(whole, self._metrics)
        for name, parts in self._parts.items():
            weight = sum(num for _, num in parts)
            if weight:
                found.values[name] = sum(value * num for value, num in parts) / weight
            else:
                found.missing[name] = self._find_reason(name, whole, explain)

    def _find_reason(self, name: str, whole: Mapping[str, Any], explain: Any) -> str:
        if name in self._errors:
            return self._errors[name]
        if name in whole:
            return _NO_VALUE
        metric = next(m for m in self._metrics if m.name == name)
        known = self._known | set(whole) | {"frames"}
        known |= {"real_frames"} if "squared_errors" in whole else set()
        known |= {name.replace(FEATURES, MAPS) for name in known}
        for array in metric.needs:
            if array not in known:
                return str(explain(array))
        return _NO_VALUE

    def _measure(self, metric: Metric, arrays: Mapping[str, Any]) -> None:
        if not set(metric.needs) <= set(arrays):
            return
        try:
            with np.errstate(invalid="ignore", divide="ignore"):
                self._add(metric.name, metric.measure(arrays), len(arrays[metric.needs[0]]))
        except ValueError as error:
            self._errors[metric.name] = str(error)

    def _add(self, name: str, values: Any, num: int = 1) -> None:
        if np.ndim(values):
            num = int(np.isfinite(values).sum()) or 1
            values = average_finite(values)
        if not math.isnan(values):
            self._parts[name].append((float(values), num))


def _list_blinks(arrays: Mapping[str, Any], metrics: Sequence[Metric]) -> dict[str, Blinks]:
    """Blinks of a whole video by the definitions that are measured."""
    names = {
        metric.name.rpartition(".")[2] for metric in metrics if metric.name.startswith("blinks.")
    }
    return {
        name: _describe_blinks(find(arrays[array], arrays["fps"]), arrays[array], arrays["fps"])
        for name, array, find in (("half", "au45", find_blinks), ("das", "ear", find_drops))
        if name in names and array in arrays
    }


def _describe_blinks(blinks: Sequence[Blink], rows: Any, fps: int) -> Blinks:
    onsets = np.array([blink.onset / fps for blink in blinks])
    counts = count_stretches(onsets, len(rows) / fps).astype(int).tolist()
    return Blinks(counts=counts, durations=[(b.offset + 1 - b.onset) / fps for b in blinks])


def _note(shown: Shown, real: Shown | None, first: int, last: int) -> list[str]:
    if real is None:
        return []
    notes, fps = list[str](), shown.fps
    if real.video.has_face and not shown.video.has_face:
        notes.append("shows no face")
    if shown.video.silence and not real.video.silence:
        notes.append(f"has no sound: {shown.video.silence}")
    if shown.video.size != real.video.size:
        sizes = ("×".join(map(str, video.video.size)) for video in (shown, real))
        notes.append(
            "{} px, resized to the real video's {} px to be compared; CPBD is of its own pixels "
            "and not comparable with that of another size".format(*sizes)
        )
    for video, whose in ((shown, "it"), (real, "the real video")):
        rest = (video.last - video.first - (last - first)) / fps
        if rest >= 0.1:
            notes.append(f"{rest:.1f} s of {whose} stand beside nothing and do not count")
    if real.video.fps != fps:
        notes.append(f"measured at its {fps} frames a second, the real video has {real.video.fps}")
    return notes
