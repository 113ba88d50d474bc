from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from backend.errors import JindamError
from backend.service.comparison import ANSWERS, REPORT, AskedQuestion, compare_file, report, summary
from backend.service.main import Jindam

QUESTIONS = [
    {"question": "간호학과에서는 무엇을 배우나요?", "profile": "고2"},
    {"query": "<script>alert(1)</script> 하고 싶은 게 없어요"},
    {"text": "죽고 싶어요"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*QUESTIONS, QUESTIONS[0]]), encoding="utf-8")
    return file


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")]


def test_a_file_becomes_a_report_that_needs_nothing_else(jindam: Jindam, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answers = compare_file(jindam, file, out)
    assert len(answers) == 3  # the repeated question is asked once
    assert [json.loads(line)["key"] for line in (out / ANSWERS).read_text(encoding="utf-8").splitlines()] == [
        answer["key"] for answer in answers
    ]
    page = (out / REPORT).read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert links.outside == []
    assert "script" not in links.tags
    assert page.count("<article") == 3
    assert "109" in page
    told = summary(answers)
    assert (told["questions"], told["crisis"], told["answered"]["rag"]) == (3, 1, 2)


def test_a_run_that_was_cut_off_goes_on(jindam: Jindam, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked: list[str] = []

    class Cut(Exception):  # noqa: N818
        pass

    def until(count: int) -> Any:
        def track(questions: list[AskedQuestion]) -> Any:
            for question in questions:
                if len(asked) == count:
                    raise Cut
                asked.append(question.question)
                yield question

        return track

    with pytest.raises(Cut):
        compare_file(jindam, file, out, until(1))
    assert (out / REPORT).read_text(encoding="utf-8").count("<article") == 1
    compare_file(jindam, file, out, until(9))
    assert len(asked) == 3
    assert (out / REPORT).read_text(encoding="utf-8").count("<article") == 3


def test_a_damaged_answer_is_told(jindam: Jindam, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ANSWERS).write_text('{"key": "x"', encoding="utf-8")
    with pytest.raises(JindamError, match="1번째 줄"):
        compare_file(jindam, file, out)


def test_a_branch_that_failed_is_shown() -> None:
    answer = {
        "key": "k", "profile": None, "question": "질문", "route": "both", "reason": "까닭.", "answers": {}, "answer": "죄송해요",
        "seconds": 0.1, "degraded": [{"part": "retrieve_documents", "reason": "색인이 없습니다"}], "risk": {"kind": None},
    }  # fmt: skip
    page = report([answer], "q.jsonl")
    assert page.count("답하지 못했습니다.") == 2
    assert "색인이 없습니다" in page
