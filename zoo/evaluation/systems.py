"""Systems' videos measured side by side: files in, a row for every video of every system out.

One task is the videos of one name: the real one is tracked once and stands beside each system's,
then beside itself, and beside its own first picture.
"""

import functools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import SourceError, ToolkitError
from zoo.evaluation.judges import Judges
from zoo.evaluation.measure import Measured, measure_video
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.pairing import REAL, STILL, Task
from zoo.evaluation.pool import KILLED, explain_error, run_each
from zoo.evaluation.tracked import (
    LaidOutVideo,
    Shown,
    StillVideo,
    TrackedVideo,
    load_mesh,
    track_video,
)
from zoo.evaluation.view import choose_view
from zoo.metrics.table import METRICS, Metric


@dataclass(frozen=True, kw_only=True)
class VideoRow:
    """What was measured in one video of one system.

    Attributes:
        system: its name, or `REAL`, or `STILL`.
        video: name of the video.
        path: the file; None where there is none.
        error: why nothing was measured; "" where something was.
        measured: values, and why others have none.
        gallery: folder of its pictures; None: none were asked for.
        features: file of its pictures' features, for metrics of a set; None: likewise.
    """

    system: str
    video: str
    path: Path | None
    error: str = ""
    measured: Measured = field(default_factory=Measured)
    gallery: Path | None = None
    features: Path | None = None

    def to_record(self) -> dict[str, Any]:
        """For JSON: infinite values as "inf"."""
        record = asdict(self.measured)
        record["values"] = {
            name: value if abs(value) < float("inf") else "inf"
            for name, value in self.measured.values.items()
        }
        path = None if self.path is None else str(self.path)
        return {"system": self.system, "video": self.video, "path": path, "error": self.error,
                **record}  # fmt: skip


def evaluate_tasks(
    tasks: Sequence[Task],
    options: EvaluationOptions,
    gallery: Path | None = None,
    features: Path | None = None,
) -> Iterator[list[VideoRow]]:
    """The rows of each task, as it is done; see `run_each`.

    Args:
        tasks: from `list_tasks`.
        options: what is measured.
        gallery: folder for pictures of every video; None: none are made.
        features: folder for features of every picture, for `score_sets`; None: none are kept.
    """
    run = functools.partial(evaluate_task, options=options, gallery=gallery, features=features)
    return run_each(run, tasks, options.workers, _fail_task)


def _fail_task(task: Task) -> list[VideoRow]:
    return [_fail(task, name, KILLED) for name in task.systems]


def evaluate_task(
    task: Task,
    options: EvaluationOptions,
    gallery: Path | None = None,
    features: Path | None = None,
) -> list[VideoRow]:
    """Rows of the videos of one name: of every system, the real one, and the still picture."""
    if task.needs_real and task.real is None:
        return [_fail(task, name, "no real video has this name") for name in task.systems]
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        return list(_Evaluation(task, options, gallery, features, Path(folder)).make_rows())


class _Evaluation:
    """One task under way."""

    def __init__(
        self,
        task: Task,
        options: EvaluationOptions,
        gallery: Path | None,
        features: Path | None,
        folder: Path,
    ) -> None:
        self._task, self._gallery, self._folder = task, gallery, folder
        self._features = features
        self._metrics, self._face = options.list_metrics(), options.picture == "face"
        self._judges = Judges.open(options)
        self._real: TrackedVideo | None = None

    def make_rows(self) -> Iterator[VideoRow]:
        """A row for each system; if one was measured, the two that are made by themselves."""
        try:
            if self._task.real is not None:
                self._real = _track(self._task.real, self._folder / "real")
        except SourceError as error:
            text = f"the real video: {error}"
            yield from (_fail(self._task, name, text) for name in self._task.systems)
            return
        num_good = 0
        for number, (name, path) in enumerate(self._task.systems.items()):
            row = self._measure(name, path, self._folder / str(number))
            num_good += not row.error
            yield row
        if self._real is not None and num_good:
            own = LaidOutVideo(self._real, self._real.fps)
            for name, shown in ((REAL, own), (STILL, StillVideo(own))):
                yield self._guard(name, self._task.real, functools.partial(self._score, shown))

    def _measure(self, name: str, path: Path | None, folder: Path) -> VideoRow:
        if path is None:
            return _fail(self._task, name, "it has no video of this name")

        def score(gallery: Path | None, features: Path | None) -> Measured:
            video = _track(path, folder)
            return self._score(LaidOutVideo(video, video.fps), gallery, features)

        row = self._guard(name, path, score)
        for left in folder.glob("*"):
            left.unlink()
        return row

    def _score(self, shown: Shown, gallery: Path | None, features: Path | None) -> Measured:
        real = None if self._real is None else LaidOutVideo(self._real, shown.fps)
        view = choose_view(self._real or shown.video, face=self._face)
        features = None if real is None else features
        return measure_video(shown, real, view, self._metrics, gallery, self._judges, features)

    def _guard(self, name: str, path: Path | None, score: Any) -> VideoRow:
        """The row; where the video itself is at fault, with the reason in place of values."""
        place = f"{self._task.name}/{name.replace('/', '_')}"
        gallery = self._gallery and self._gallery / place
        features = self._features and self._features / f"{place}.f32"
        try:
            measured = score(gallery, features)
        except Exception as error:
            return _fail(self._task, name, explain_error(error, Path(str(path))), path)
        return VideoRow(
            system=name,
            video=self._task.name,
            path=path,
            measured=measured,
            gallery=gallery,
            features=features if features and features.is_file() else None,
        )


def _track(path: Path, folder: Path) -> TrackedVideo:
    folder.mkdir()
    return track_video(path, folder, load_mesh())


def _fail(task: Task, system: str, error: str, path: Path | None = None) -> VideoRow:
    return VideoRow(
        system=system, video=task.name, path=path or task.systems.get(system), error=error
    )


def check_some(rows: Iterable[VideoRow]) -> None:
    """ToolkitError where not one video could be measured."""
    if all(row.error for row in rows):
        raise ToolkitError("no video could be measured")


def list_systems(rows: Iterable[VideoRow]) -> list[str]:
    """Names in the rows: systems in their order, then those made by themselves."""
    names = dict.fromkeys(row.system for row in rows)
    return [n for n in names if n not in (REAL, STILL)] + [n for n in (REAL, STILL) if n in names]


def count_measured(rows: Iterable[VideoRow]) -> dict[str, tuple[int, int]]:
    """System -> how many of its videos were measured, and of how many."""
    rows = list(rows)
    return {
        name: (sum(not row.error for row in own), len(own))
        for name in list_systems(rows)
        if name not in (REAL, STILL) and (own := [row for row in rows if row.system == name])
    }


def find_missing(
    rows: Sequence[VideoRow], metrics: Mapping[str, Metric] = METRICS
) -> dict[str, str]:
    """Metric -> why no system has a value of it, for those that none has."""
    good = [row.measured for row in rows if not row.error and row.system not in (REAL, STILL)]
    return {
        name: next(m.missing[name] for m in good if name in m.missing)
        for name in metrics
        if any(name in m.missing for m in good) and not any(name in m.values for m in good)
    }


def group_missing(rows: Sequence[VideoRow]) -> dict[str, list[str]]:
    """Reason -> the metrics of `find_missing` that have no value for it."""
    groups: dict[str, list[str]] = {}
    for name, reason in find_missing(rows).items():
        groups.setdefault(reason, []).append(name)
    return groups
