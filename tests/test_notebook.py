"""The notebook runs from top to bottom, on the embedded digits and a small network."""

import json

import pytest

TINY = {
    "model": "tiny",
    "fire_modules": 1,
    "pool_after": ["conv1"],
    "train_batch_size": 64,
    "base_learning_rate": 0.01,
    "train_epochs": 2,
    "prune_epochs": 1,
    "cluster_epochs": 1,
    "quantize_epochs": 1,
}
NAME = "from_photographs_to_sqz.ipynb"


@pytest.fixture
def notebook(repository):
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient, of requirements-dev.txt")
    return nbformat.read(repository / "docs" / NAME, as_version=4)


def test_no_outputs_are_committed(repository):
    cells = json.loads((repository / "docs" / NAME).read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(notebook, repository, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("RUN", str(tmp_path / "run"))
    monkeypatch.setenv("SETTINGS", json.dumps(TINY))
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(repository / "docs")}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = "".join(output.get("text", "") for output in outputs)
    assert "quantize:" in said
    assert "int8_per_tensor.sqz:" in said
    assert "of 12 right" in said
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
    assert (tmp_path / "run" / "report.html").exists()
