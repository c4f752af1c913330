"""Windows as a PyTorch dataset: what a `DataLoader` reads. The one file here that imports torch.

T frames of a window.
"""

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from toolkit.dataset.excluded import drop_excluded
from toolkit.dataset.manifest import read_table
from toolkit.dataset.options import PARTS
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.windows import Context, WindowReader
from toolkit.errors import ToolkitError

MASK = "face/valid"
"""In every window: true where a frame was measured, false where it was filled in and behind the end
of a short clip."""


class WindowDataset(Dataset[dict[str, torch.Tensor]]):
    """A map-style dataset of windows; `torch_dataset` makes one of a dataset's folder.

    Item i is name -> (T, ...) tensor of a copy, in the array's dtype, of all names and of
    `face/valid` (T,) bool; `clip`, () int64, the window's place in `clips`; and `num_frames`,
    () int64, how many of the T are its clip's: all, but in clips shorter than T, behind which
    stand zeros. PyTorch's own collation makes (B, T, ...) of B items.

    It holds no open file of HDF5, and pickles to the names of its shards: a loader's workers may be
    forked or spawned.

    Attributes:
        windows: the reader behind it.
        clips: the clips, with id, identity and source, in the order of the windows.
    """

    def __init__(self, windows: WindowReader) -> None:
        self.windows = windows
        self.clips = windows.clips

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"windows are numbered 0 to {len(self) - 1}, not {place}")
        number = np.array([place % len(self)])
        item = {k: torch.from_numpy(rows[0]) for k, rows in self.windows.read(number).items()}
        clip, _ = self.windows.place(number)
        num_frames = self.windows.count_frames(number)
        return item | {"clip": torch.tensor(clip[0]), "num_frames": torch.tensor(num_frames[0])}


def torch_dataset(
    dataset: Path | str,
    names: Sequence[str],
    num_frames: int,
    *,
    split: str | None = None,
    where: str | None = None,
    stride: int = 1,
    context: Mapping[str, Context] | None = None,
    min_frames: int | None = None,
    mix_backends: bool = False,
) -> WindowDataset:
    """The windows of a dataset's folder, or of one part of its split, for a `DataLoader`.

    Args:
        dataset: the folder that `ttk ingest` wrote.
        names: per-frame arrays of `ARRAYS`, as `audio/deepspeech`; `face/valid` comes along.
        num_frames: T.
        split: `train`, `val` or `test`; None: all clips.
        where: keep clips for which this expression over the manifest's columns is true.
        stride: see `WindowReader`.
        context: see `WindowReader`.
        min_frames: clips of so many frames or more that are shorter than T have one window, with
            zeros behind their end. None: they have none.
        mix_backends: see `WindowReader`.

    Raises:
        ToolkitError: no dataset or split here, no clip in this part, or none as long as a window;
            a shard that lacks an array, or whose backends differ from another's (`ShardError`).
        ValueError: see `WindowReader`; no such part; or an expression that cannot be evaluated.
    """
    if split not in (None, *PARTS):
        raise ValueError(f"split {split!r}: choose from {', '.join(PARTS)}")
    dataset = Path(dataset)
    rows = drop_excluded(dataset, read_table(dataset, "clips", where))
    if split is not None:
        parts = read_table(dataset, "split")
        rows = rows[rows["clip_id"].isin(parts.loc[parts["split"] == split, "clip_id"])]
    of = f" of {split}" if split else ""
    if rows.empty:
        raise ToolkitError(f"{dataset}: no clip{of} to read: see ttk stats --by split")
    windows = WindowReader(
        [ShardReader(dataset / shard) for shard in sorted(set(rows["shard"]))],
        list(dict.fromkeys([*names, MASK])),
        num_frames,
        stride=stride,
        context=context,
        min_frames=min_frames,
        clips=set(rows["clip_id"]),
        mix_backends=mix_backends,
    )
    if not len(windows):
        raise ToolkitError(
            f"{dataset}: every clip{of} is shorter than {min_frames or num_frames} frames: the "
            f"longest has {rows['num_frames'].max()}"
        )
    return WindowDataset(windows)
