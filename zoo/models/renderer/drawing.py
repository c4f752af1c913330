"""Frames in order by a trained small generator on a CPU, each thread drawing frames of its own.

The same as the generator's `forward` but for rounding, at half of its cost: a frame enters its
windows once, packed as the first convolution reads it, and stays in its place until it leaves
them, the weights being turned instead; blocks convolve by Winograd's method; colours and alpha
leave through one tanh. A frame is computed by one thread whatever their number, so that a film is
the same for any. Legend: H the side of a picture.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zoo.data.frames import Picture
from zoo.models.renderer import kernels
from zoo.models.renderer.networks import SmallGenerator
from zoo.models.renderer.presets import HALF_WINDOW
from zoo.models.renderer.windows import RenderedWindows, Stretch, paint_frames
from zoo.models.renderer.winograd import Winograd

LENGTH = 16
"""Frames that a thread draws one behind another."""

_NUM = 2 * HALF_WINDOW


def draw_stretches(generator: SmallGenerator, windows: RenderedWindows) -> Iterator[Picture]:
    """What a generator draws of windows, in order: (H, H, 3) uint8, or (H, H, 4) with an alpha.

    As many threads as torch has; so many stretches of `LENGTH` frames, and one, are held.
    """
    drawing, threads = SmallDrawing(generator), torch.get_num_threads()
    ahead = deque[Future[list[Picture]]]()
    try:  # a thread's number of threads is its own, but for MKL's, which is set back
        with ThreadPoolExecutor(threads, "draw", torch.set_num_threads, (1,)) as pool:
            try:
                for stretch in windows.read_stretches(LENGTH):
                    ahead.append(pool.submit(drawing.draw, stretch))
                    if len(ahead) > threads:
                        yield from ahead.popleft().result()
                while ahead:
                    yield from ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()
    finally:
        torch.set_num_threads(threads)


class SmallDrawing:
    """A generator's weights as they are now, arranged for drawing."""

    def __init__(self, generator: SmallGenerator) -> None:
        """Take them; nothing is drawn yet."""
        entered: list[Any] = list(generator.enter)
        left: list[Any] = list(generator.leave)
        _, first, _, second = entered
        _, coarse, _, middle, _, last, _ = left
        weight: Tensor = first.weight
        inputs = weight.shape[1] // _NUM
        turned = [weight.roll(turn * inputs, dims=1) for turn in range(_NUM)]
        self._first = [_Layer(_arrange(weight), first.bias) for weight in turned]
        self._second, self._coarse, self._middle = (
            _Layer(_arrange(layer.weight), layer.bias) for layer in (second, coarse, middle)
        )
        self._place = _arrange(generator.place)
        self._blocks = [_Block(block) for block in generator.blocks]
        # sigmoid(x) = (1 + tanh(x/2))/2: with half its logits an alpha becomes levels as colours do
        shares = torch.ones(len(last.bias))
        shares[3 * 4 :] = 0.5
        self._last = _Layer(_arrange(last.weight * shares[:, None, None, None]), last.bias * shares)

    @torch.inference_mode()
    def draw(self, stretch: Stretch) -> list[Picture]:
        """The pictures of a stretch's windows."""
        half = len(stretch.pictures[0]) // 2
        window = torch.empty(half, half, self._first[0].weight.shape[1])
        slots, seen = window.numpy().reshape(half, half, _NUM, -1), _to_planes(window)
        levels, drawn = list_levels(stretch), list[Picture]()
        for k, picture in enumerate(stretch.pictures):
            place = stretch.first + k
            kernels.pack_picture(picture, levels[k], slots[:, :, place % _NUM])
            if k >= _NUM - 1:
                drawn.append(self._draw(seen, (place + 1) % _NUM))
        return drawn

    def _draw(self, window: Tensor, turn: int) -> Picture:
        """A picture of a window (1, C, H/2, H/2), packed, whose first frame is at place `turn`."""
        x = self._first[turn].convolve(window, stride=2).relu_()
        x = _to_rows(self._second.convolve(x, stride=2).add_(self._place))
        for block in self._blocks:
            x = block.add(x)
        x = self._coarse.double(_to_planes(x.relu_())).relu_()
        x = self._middle.double(x).relu_()
        packed = _to_rows(self._last.convolve(x).tanh_()).numpy()
        side = 2 * len(packed)
        picture = np.empty((side, side, packed.shape[2] // 4), np.uint8)
        kernels.unpack_picture(packed, picture)
        return picture


def list_levels(stretch: Stretch) -> npt.NDArray[np.float32]:
    """(k, C, 256) what the levels of a frame's channels become, as `paint_frames` has it."""
    ramp = torch.arange(256, dtype=torch.uint8)[None, None, :, None]
    ramp = ramp.expand(len(stretch.au45), 1, 256, stretch.pictures[0].shape[2])
    return paint_frames(ramp, stretch.au45)[:, :, 0].numpy()


class _Layer:
    """A convolution of 3 × 3, or a doubling, with channels last."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self._bias = weight, bias.detach()

    def convolve(self, x: Tensor, stride: int = 1) -> Tensor:
        return functional.conv2d(x, self.weight, self._bias, stride=stride, padding=1)

    def double(self, x: Tensor) -> Tensor:
        return functional.conv_transpose2d(x, self.weight, self._bias, stride=2, padding=1)


class _Block:
    """A `PlainBlock`; the first convolution's bias is left out, for the norm behind takes it away.

    Rows (h, w, width) in and out.
    """

    def __init__(self, block: Any) -> None:
        before, _, first, between, _, second = block.layers
        self._norms = [(norm.weight.detach(), norm.bias.detach()) for norm in (before, between)]
        self._first, self._second = Winograd(first.weight), Winograd(second.weight)
        self._bias = second.bias.detach()

    def add(self, x: Tensor) -> Tensor:
        """To what comes in, in place."""
        before, between = self._norms
        y = self._first(_normalise(x, *before).relu_())
        y = self._second(_normalise(y, *between).relu_())
        return x.add_(y).add_(self._bias)


def _normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _to_rows(functional.batch_norm(_to_planes(x), None, None, weight, bias, training=True))


def _to_planes(x: Tensor) -> Tensor:
    """(1, c, h, w) with channels last, of (h, w, c)."""
    return x.permute(2, 0, 1)[None]


def _to_rows(x: Tensor) -> Tensor:
    """(h, w, c) of (1, c, h, w) with channels last."""
    return x[0].permute(1, 2, 0)


def _arrange(weight: Tensor) -> Tensor:
    return weight.detach().contiguous(memory_format=torch.channels_last)
