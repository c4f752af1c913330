"""The notebook of the documentation runs from the first cell to the last, and holds no output."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests import ROOT

NOTEBOOK = ROOT / "docs" / "notebooks" / "first_dataset.ipynb"


@pytest.fixture
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def read_output(cell: Any) -> str:
    """What a cell printed, and its last value as text."""
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs]
    return "".join(texts)


def test_it_is_stored_without_output(notebook: Any) -> None:
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 7
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_it_runs_to_its_end(notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "work"
    work.mkdir()
    NotebookClient(
        notebook, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(work)}}
    ).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [read_output(cell) for cell in code]
    assert outputs[1].count(".mp4") == 4
    assert sum(int(line.split()[1]) for line in outputs[4].splitlines()) == 4  # clips of the parts
    assert "face/landmarks (150, 478, 3) float32" in outputs[5]
    assert any("image/png" in out.get("data", {}) for out in code[6].outputs)
    assert "'face/pose': (4, 64, 6)" in outputs[7]
