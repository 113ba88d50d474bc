"""The notebook runs from top to bottom with the smoke configuration."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "finetune" / "notebooks" / "gemma3_career_counseling.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINDAM_NOTEBOOK_OUTPUT", str(tmp_path / "run"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    printed = {
        cell["id"]: "".join(
            output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in cell["outputs"]
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    everything = "\n".join(printed.values())
    for expected in (
        "26,091,520 trainable, 6,310 updates",
        "best_loss",
        "[tuned]",
        "stop_rate",
        "adapter-f16.gguf",
        "manifest.json",
    ):
        assert expected in everything
    assert (tmp_path / "run" / "loss.svg").is_file()


def test_it_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells if cell.cell_type == "code")
    assert sum(cell.cell_type == "code" and len(cell.source.splitlines()) > 16 for cell in cells) == 0  # thin: no logic here
