"""`person.json`: where everything of a person lies that is to speak; paths from its own folder.

They stay in that folder: a person's file from elsewhere opens nothing outside of it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.dataset.paths import check_inside
from toolkit.errors import ToolkitError
from toolkit.storage import write_whole

NAME = "person.json"


@dataclass(frozen=True, kw_only=True)
class PersonFile:
    """What `zoo personalize` made.

    Attributes:
        identity: who.
        shards: the dataset with their clips.
        motion_model: checkpoint of facial-gan.
        renderer: checkpoint of the renderer.
    """

    identity: str
    shards: Path
    motion_model: Path
    renderer: Path


def save_person(folder: Path, person: PersonFile) -> None:
    """Write a folder's `person.json`; ToolkitError where a path leads out, or the disk refuses."""
    content = {
        name: os.path.relpath(check_inside(value, folder), folder)
        if isinstance(value, Path)
        else value
        for name, value in asdict(person).items()
    }
    with write_whole(folder / NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def load_person(folder: Path) -> PersonFile:
    """Read a folder's `person.json`.

    Raises:
        ToolkitError: missing or damaged, or it names what lies outside of the folder.
    """
    path = folder / NAME
    try:
        content = json.loads(check_inside(path, folder).read_text("utf-8"))
        shards, motion, renderer = (
            check_inside(folder / content[name], folder)
            for name in ("shards", "motion_model", "renderer")
        )
        return PersonFile(
            identity=str(content["identity"]),
            shards=shards,
            motion_model=motion,
            renderer=renderer,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ToolkitError(
            f"{folder}: no person is ready here ({NAME} is missing): let zoo personalize end"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolkitError(f"{path}: damaged: run zoo personalize again ({error})") from error
