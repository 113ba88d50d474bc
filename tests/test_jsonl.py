from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from backend.errors import JindamError
from backend.jsonl import read_jsonl


class Row(BaseModel):
    n: int


def test_rows_and_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n\n{"n": 2}\n', encoding="utf-8")
    assert [row.n for row in read_jsonl(tmp_path / "a.jsonl", Row, "x")] == [1, 2]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"n": 1}\n{"n": "one"}\n', "2번째 줄"),
        (b'{"n": 1}\n{"n": 2', "2번째 줄"),
        (b"\n", "읽을 줄이 없습니다"),
        ("한글".encode("cp949"), "읽을 수 없습니다"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(JindamError, match=told):
        read_jsonl(tmp_path / "a.jsonl", Row, "x")


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="읽을 수 없습니다"):
        read_jsonl(tmp_path / "absent.jsonl", Row, "x")
