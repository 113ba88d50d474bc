from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.embedding.majors import Section, passages_of, read_majors
from backend.errors import JindamError

RECORD: dict[str, Any] = {
    "major": "별자리학과",
    "field": "자연",
    "aliases": [],
    "slang": ["별과"],
    "summary": "별을 봅니다.",
    "interest": "밤을 좋아하면 맞습니다.",
    "curriculum": {"1학년": "하늘을 봅니다."},
    "jobs": ["천문학자"],
    "qualifications": [],
    "related": [{"major": "천문학과", "difference": "더 넓게 봅니다."}],
    "questions": ["밤하늘이 좋아요"],
}


def _write(folder: Path, *records: dict[str, Any]) -> Path:
    (folder / "a.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return folder


def test_a_record_becomes_passages(tmp_path: Path) -> None:
    (major,) = read_majors(_write(tmp_path, RECORD))
    passages = {passage.section: passage for passage in passages_of(major)}
    assert Section.QUALIFICATIONS not in passages  # empty sections give none
    assert passages[Section.CURRICULUM].text == "1학년: 하늘을 봅니다."
    assert passages[Section.CURRICULUM].embedded_text.startswith("별자리학과 배우는 내용")
    assert passages[Section.QUESTION].embedded_text == "밤하늘이 좋아요"
    assert len({passage.id for passage in passages_of(major)}) == len(passages_of(major))


@pytest.mark.parametrize(
    ("change", "why"),
    [({"field": "마법"}, "field"), ({"salary": 300}, "salary"), ({"jobs": None}, "jobs")],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(JindamError, match=r"a\.jsonl 1번째 줄") as caught:
        read_majors(_write(tmp_path, RECORD | change))
    assert why in caught.value.why


def test_a_name_twice_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="비어"):
        read_majors(tmp_path)
    with pytest.raises(JindamError) as caught:
        read_majors(_write(tmp_path, RECORD, RECORD))
    assert "두 번" in caught.value.what
