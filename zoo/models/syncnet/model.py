"""A trained judge, ready for use: pictures and sound of any video to embeddings.

Legend: n ticks (25 a second) of a video, S samples, D numbers of an embedding.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.storage import check_ending, hash_file
from toolkit.weights import read_safetensors
from zoo.data.mfcc import LENGTH, STEP, compute_mfcc
from zoo.models.syncnet import FAMILY
from zoo.models.syncnet.batches import cut_faces, cut_sound
from zoo.models.syncnet.faces import cut_square, place_squares, smooth_places
from zoo.models.syncnet.networks import SyncNet, create_syncnet
from zoo.models.syncnet.presets import NUM_ROWS, PRESETS, ROWS_PER_FRAME, WINDOW
from zoo.training.checkpoint import load_checkpoint, save_weights

Floats = npt.NDArray[np.float32]

_BLOCK = 64
"""Windows that are embedded at once."""

_TICKS = 24 * _BLOCK
"""Ticks of sound whose cepstra are in memory at once: a minute."""

_TICK = ROWS_PER_FRAME * STEP
"""Samples of a tick."""


class SyncJudge:
    """A network with how its input is cut.

    Attributes:
        name: `syncnet_v2 (published)`, or `syncnet` with the preset, of this project.
        sha256: of the file it comes from; "" of one under training.
        is_published: whether its weights are the published ones, and not a stand-in's.
        preset: see `PRESETS`.
        size: side of the squares that it sees, px.
        channels: 1 grey, 3 blue, green, red.
        network: on its device, for use.
    """

    def __init__(
        self, network: SyncNet, preset: str, sha256: str = "", *, is_published: bool = False
    ) -> None:
        self.network, self.preset = network.eval(), preset
        self.name = "syncnet_v2 (published)" if is_published else f"{FAMILY.name} {preset}"
        self.sha256, self.is_published = sha256, is_published
        self._shape = PRESETS[preset]
        self.size, self.channels = self._shape.size, self._shape.channels
        self._device = next(network.parameters()).device

    def place(self, meshes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where to look (n, 4) in meshes (n, 478, 3), NaN where there is none; unsmoothed."""
        return place_squares(meshes, self._shape.framing)

    def embed_pictures(
        self, pictures: Iterable[npt.NDArray[np.uint8]], places: npt.NDArray[np.float64]
    ) -> Floats:
        """(n − 4, D) of a video's pictures, window i from tick i on; one block is held at a time.

        Args:
            pictures: n of (height, width, 3) uint8 RGB.
            places: (n, 4) as `place` gives them.

        Raises:
            ToolkitError: no place is known.
        """
        smooth = smooth_places(places)
        squares = (
            self._cut(picture, place) for picture, place in zip(pictures, smooth, strict=True)
        )
        return self._embed_all(squares)

    def _cut(
        self, picture: npt.NDArray[np.uint8], place: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.uint8]:
        size, channels = self.size, self.channels
        color = cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_RGB2BGR
        square = cut_square(picture, place, size)
        return np.asarray(cv2.cvtColor(square, color), np.uint8).reshape(size, size, channels)

    def _embed_all(self, squares: Iterator[npt.NDArray[np.uint8]]) -> Floats:
        kept, found = list(islice(squares, WINDOW - 1)), list[Floats]()
        while block := list(islice(squares, _BLOCK)):
            kept += block
            found.append(self.embed_faces(np.stack(kept)))
            kept = kept[1 - WINDOW :]
        return np.concatenate(found) if found else np.zeros((0, 1), np.float32)

    def embed_faces(self, faces: npt.NDArray[np.uint8]) -> Floats:
        """(n − 4, D) of squares (n, H, H, C), as the network sees them."""
        windows = cut_faces(torch.from_numpy(faces).permute(0, 3, 1, 2).to(self._device))
        return self._run(self.network.embed_faces, windows)

    def embed_sound(self, pcm: npt.NDArray[np.int16]) -> Floats:
        """(m, D) of samples (S,), window i from tick i on; m is S/640 less 5."""
        num = (1 + -(-(len(pcm) - LENGTH) // STEP) - NUM_ROWS) // ROWS_PER_FRAME + 1
        if num < 1:
            raise ToolkitError("the sound is shorter than 0.2 s")
        blocks = range(0, num, _TICKS)
        return np.concatenate([self._embed_part(pcm, k, min(k + _TICKS, num)) for k in blocks])

    def _embed_part(self, pcm: npt.NDArray[np.int16], first: int, last: int) -> Floats:
        """Windows [first, last) of a sound; the tick before is its first samples' past."""
        before = min(1, first)
        end = last * _TICK + (NUM_ROWS - 1 - ROWS_PER_FRAME) * STEP + LENGTH
        rows = compute_mfcc(pcm[(first - before) * _TICK : end])[before * ROWS_PER_FRAME :]
        windows = cut_sound(torch.from_numpy(rows).to(self._device))
        return self._run(self.network.embed_sound, windows)

    def _run(self, embed: Any, windows: Tensor) -> Floats:
        with torch.inference_mode():
            blocks = [embed(block).cpu().numpy() for block in torch.split(windows, _BLOCK)]
        return np.concatenate(blocks)


def open_syncnet(path: Path, device: torch.device | str = "cpu") -> SyncJudge:
    """The judge of a run of `zoo train syncnet`, or of the published syncnet_v2.model.

    Args:
        path: a checkpoint, weights that `export_weights` wrote, or published weights: names and
            tensors in a torch file or safetensors.
        device: where it is to run.

    Raises:
        ToolkitError: no such file, of something else, or not the published layout.
    """
    sha256 = hash_file(path) if path.is_file() else ""
    if path.suffix == ".safetensors":
        preset, weights = _read_safetensors(path)
    elif "kind" in (content := load_checkpoint(path)):
        model = load_checkpoint(path, FAMILY.name)["model"]
        preset, weights = model["preset"], model["network"]
    else:
        preset, weights = "", content
    network = load_weights(weights, path, preset or "published").to(device)
    return SyncJudge(network, preset or "published", sha256, is_published=not preset)


def export_weights(checkpoint: Path, target: Path) -> None:
    """Write a checkpoint's judge as float16 safetensors; its statistics stay float32.

    Args:
        checkpoint: of a run.
        target: the file to write.

    Raises:
        ValueError: the file's name does not end in `.safetensors`.
        ToolkitError: the checkpoint is not of a judge.
    """
    check_ending(target, (".safetensors",))
    model = load_checkpoint(checkpoint, FAMILY.name)["model"]
    about = {"kind": FAMILY.name, "preset": model["preset"]}
    about["trained_on"] = json.dumps(model["trained_on"])
    save_weights(target, model["network"], about)


def _read_safetensors(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Preset, "" of published weights, and tensors by name."""
    weights, about = read_safetensors(path)
    preset = about.get("preset", "") if about.get("kind") == FAMILY.name else ""
    return preset, weights


def load_weights(weights: Mapping[str, Tensor], path: Path, preset: str = "published") -> SyncNet:
    """A preset's network with these weights, in float32.

    Raises:
        ToolkitError: they are not of this layout.
    """
    network = create_syncnet(preset)
    expected = network.state_dict()
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    lacking = sorted(expected.keys() - counters - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    other = [n for n in expected if n in weights and weights[n].shape != expected[n].shape]
    if wrong := lacking or unknown or other:
        how = "lacks" if lacking else "has an unknown" if unknown else "has another shape of"
        layout = "syncnet_v2" if preset == "published" else f"the preset {preset}"
        raise ToolkitError(f"{path}: not the weights of {layout}: it {how} {wrong[0]}")
    network.load_state_dict(dict(weights), strict=False)
    return network
