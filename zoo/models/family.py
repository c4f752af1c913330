"""The record that makes a folder of `zoo/models/` a family; needs nothing that takes time."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Training:
    """A command that trains.

    Attributes:
        options: "module:class" of the record that its options come from.
        help: what the command says of itself.
        example: a line that runs.
        next: the line that usually follows, or ""; options of the run stand in it as `{shards}`,
            its folder as `{out}`.
        next_of_several: the same where the run's `people` are several.
    """

    options: str
    help: str
    example: str
    next: str
    next_of_several: str = ""

    def write_next(self, options: Any, out: Path) -> str:
        """The line that follows a run with these options into a folder, ready for a shell."""
        line = self.next_of_several if getattr(options, "people", ()) else self.next
        return line.format_map(_Quoted(vars(options) | {"out": out}))


class _Quoted(dict[str, Any]):
    """Values as a shell needs them."""

    def __getitem__(self, name: str) -> str:
        return shlex.quote(str(super().__getitem__(name)))


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of models.

    Attributes:
        name: as `zoo train` has it, and checkpoints.
        summary: what goes in and what comes out.
        presets: names of its variants, the default first.
        reads: arrays of the shards that it is trained on.
        makes: what its trained models make: `scores` of speech, `motion`, `frames` of a person,
            `identities`, `distances` of pictures and sound, `landmarks` of speech, `eyes` that
            blink, `faces` of landmarks, or `priors` of faces; by it the commands that use models
            know which they can take.
        items: what a step's items are.
        create: "module:function" of (preset, **options) to a network with random weights.
        train: "module:function" of (options, out, *, distributed, resume, on_step) to the best
            epoch's figures.
        open: "module:function" of (checkpoint, device) to the trained model, ready for use.
        training: `zoo train NAME`.
        finetuning: `zoo finetune NAME`, where there is one.
        commands: others that measure, convert or use it.
        opens_published: whether `open` also takes a published file of weights.
    """

    name: str
    summary: str
    presets: tuple[str, ...]
    reads: tuple[str, ...]
    makes: str
    items: str
    create: str
    train: str
    open: str
    training: Training
    finetuning: Training | None = None
    commands: tuple[str, ...] = ()
    opens_published: bool = False


def list_commands(family: Family) -> tuple[str, ...]:
    """Command lines that train, measure, convert or use a family."""
    train = (f"zoo train {family.name}",)
    finetune = (f"zoo finetune {family.name}",) if family.finetuning else ()
    return (*train, *finetune, *family.commands)
