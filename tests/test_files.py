from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import JindamError
from backend.files import encoding_of, locked, require_space, written_aside


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "index.json"
    with pytest.raises(RuntimeError), written_aside(target) as fresh:
        fresh.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with written_aside(target) as fresh:
        fresh.write_text("whole")
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_and_the_old_one_stays_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "index"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(KeyboardInterrupt), written_aside(target) as fresh:
        fresh.mkdir()
        raise KeyboardInterrupt
    assert (target / "old").is_file()
    with written_aside(target) as fresh:
        fresh.mkdir()
        (fresh / "new").write_text("new")
    assert [path.name for path in target.iterdir()] == ["new"]


def test_the_encoding_of_a_korean_text(tmp_path: Path) -> None:
    file = tmp_path / "안내.txt"
    for written in ("utf-8", "utf-8-sig", "cp949"):
        file.write_text("상담실은 3층", encoding=written)
        assert file.read_text(encoding=encoding_of(file)) == "상담실은 3층"
    file.write_bytes(b"\xff\xff\x81")
    with pytest.raises(UnicodeDecodeError):
        encoding_of(file)


def test_too_little_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="공간이 모자랍니다") as caught:
        require_space(tmp_path, 1 << 60)
    assert "JINDAM_HOME" in caught.value.fix


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JindamError, match="쓸 수 없습니다"), locked(tmp_path / "file" / "target"):
        pass
