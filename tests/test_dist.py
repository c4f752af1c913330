"""What is published: a wheel and a source distribution that hold everything, and a Dockerfile."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests import ROOT

TOP = ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", "MANIFEST.in")


def list_code() -> set[str]:
    """Files of toolkit and zoo, from the root."""
    paths = (path for name in ("toolkit", "zoo") for path in (ROOT / name).rglob("*"))
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `python -m build` does: the source distribution, and from that the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    for name in TOP:
        shutil.copy(ROOT / name, folder)
    for name in ("toolkit", "zoo"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((folder / "dist").glob("ttk-*.tar.gz"))) == 1
    (path,) = (folder / "dist").glob("ttk-*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_code_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    assert sorted(list_code() - names) == []
    assert sorted(names - list_code()) == []


def test_its_metadata_name_licence_python_extras_and_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        inside = {name.partition(".dist-info/")[2]: name for name in file.namelist()}
        metadata = HeaderParser().parsestr(file.read(inside["METADATA"]).decode())
        commands = file.read(inside["entry_points.txt"]).decode()
    assert metadata["Name"] == "ttk"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.13,>=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {"sample", "fonts", "dev"} <= set(metadata.get_all("Provides-Extra", []))
    assert "ttk = toolkit.cli:main" in commands
    assert "zoo = zoo.cli:main" in commands


def install_from_registry(wheel: Path, folder: Path) -> None:
    """With what pip brings."""
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    for what in ("torch==2.13.0", f"{wheel}[sample]"):
        words = ["install", "--quiet", "--no-compile", what, "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, *words], check=True, timeout=1800)
    subprocess.run([*pip, "check"], check=True, timeout=300)


def install_beside(wheel: Path, folder: Path) -> None:
    """The wheel alone, in front of what the tests' own environment has, which CI makes anew."""
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    words = ["install", "--quiet", "--no-compile", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *words], check=True, timeout=500)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")


@pytest.mark.parametrize(
    "install",
    [install_beside, pytest.param(install_from_registry, marks=pytest.mark.slow)],
    ids=("beside", "registry"),
)
def test_the_wheel_works_from_an_environment_of_its_own(
    wheel: Path, tmp_path: Path, install: Callable[[Path, Path], None]
) -> None:
    """The source tree is out of sight."""
    venv.create(tmp_path / "venv")
    bin_ = tmp_path / "venv" / "bin"
    install(wheel, tmp_path / "venv")

    def run(*words: str) -> str:
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        command = [str(bin_ / words[0]), *words[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Turn raw talking-head videos into training shards" in run("ttk", "--help")
    assert "train" in run("zoo", "--help")
    run("ttk", "sample", "videos", "--identities", "1", "--clips", "1", "--seconds", "3")
    run("ttk", "ingest", "videos", "--out", "set", "--workers", "0")
    run("ttk", "report", "--data", "set", "--out", "report.html")
    where = run("python", "-c", "import toolkit; print(toolkit.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path)


def test_the_dockerfile_installs_as_the_makefile_and_the_readme_do() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert len(text.splitlines()) <= 10
    commands = re.findall(r"pip install --no-cache-dir (.*?)(?: &&|$)", text, re.MULTILINE)
    makefile, readme, quickstart = (
        (ROOT / name).read_text("utf-8") for name in ("Makefile", "README.md", "docs/quickstart.md")
    )
    torch, ttk = map(str.split, commands)
    assert f"pip install --quiet {' '.join(torch)}" in makefile
    assert 'pip install ".[sample]"' in readme
    assert f"pip install {' '.join(ttk[1:] + ttk[:1])}" in quickstart
    assert re.search(r"^FROM python:3\.11-", text, re.M)


def test_the_dockerfile_brings_the_libraries_that_errors_name() -> None:
    from toolkit.errors import _SYSTEM_PACKAGES

    text = (ROOT / "Dockerfile").read_text("utf-8")
    needed = set(_SYSTEM_PACKAGES.values()) - {"libsndfile1"}  # of extras alone
    assert [name for name in sorted(needed) if not re.search(rf"\b{re.escape(name)}\b", text)] == []
