"""The shipped majors are what the data card says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from backend.dialogues.twins import near_pairs
from backend.embedding.majors import CATEGORIES, Major
from backend.resources import Resources

FORBIDDEN = re.compile(r"4차 산업혁명|융합형 인재|각광|전망이 밝|취업률|연봉|등록금|[가-힣]+대학교|\d+만\s*원")
# Every name of the CareerNet corpus, so that a student who found one there finds it here.
CAREERNET = set((Path(__file__).parent / "careernet_names.txt").read_text(encoding="utf-8").split("\n")) - {""}
NEWER = {
    "인공지능학과",
    "데이터사이언스학과",
    "게임학과",
    "미디어커뮤니케이션학과",
    "제과제빵과",
    "스마트팜학과",
    "바이오헬스학과",
}


def near_duplicates(texts: list[str], threshold: float) -> list[tuple[str, str]]:
    """Pairs that share so many character 5-grams."""
    return [(texts[a], texts[b]) for a, b in near_pairs(texts, threshold)]


@pytest.fixture(scope="module")
def majors(resources: Resources) -> list[Major]:
    return list(resources.majors)


def test_counts(majors: list[Major]) -> None:
    assert len(majors) >= 340
    counts = Counter(major.field for major in majors)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 20
    assert set(CAREERNET) <= {major.major for major in majors}
    assert {major.major for major in majors} >= NEWER


def test_every_record_is_full(majors: list[Major]) -> None:
    for major in majors:
        assert 100 <= len(major.summary) <= 260, major.major
        assert 90 <= len(major.interest) <= 240, major.major
        assert 2 <= len(major.curriculum) <= 6, major.major
        assert 6 <= len(major.jobs) <= 10, major.major
        assert 2 <= len(major.related) <= 4, major.major
        assert 8 <= len(major.questions) <= 12, major.major


def test_related_majors_exist(majors: list[Major]) -> None:
    names = {major.major for major in majors}
    for major in majors:
        assert {other.major for other in major.related} <= names - {major.major}, major.major


def test_no_name_is_claimed_twice(majors: list[Major]) -> None:
    claims = Counter(name for major in majors for name in {re.sub(r"[\sㆍ·]", "", name).lower() for name in major.names})
    assert [name for name, count in claims.items() if count > 1] == []


def test_no_question_names_its_major(majors: list[Major]) -> None:
    for major in majors:
        for question in major.questions:
            squeezed = question.replace(" ", "")
            assert not any(name in squeezed for name in major.names if len(name) > 1), (major.major, question)


def test_nothing_forbidden_is_said(majors: list[Major]) -> None:
    assert not any(major.employment or major.monthly_pay or major.universities for major in majors)
    for major in majors:
        found = FORBIDDEN.search(major.model_dump_json())
        assert found is None, (major.major, found)


def test_no_near_duplicates(majors: list[Major]) -> None:
    assert near_duplicates([question for major in majors for question in major.questions], 0.5) == []
    assert near_duplicates([major.summary for major in majors], 0.5) == []
    assert near_duplicates([major.interest for major in majors], 0.5) == []


def test_openings_vary(majors: list[Major]) -> None:
    openings = Counter(" ".join(question.split()[:2]) for major in majors for question in major.questions)
    assert openings.most_common(1)[0][1] <= 20
    named = sum(major.summary.startswith(major.major[:-1]) for major in majors)
    assert named <= 0.6 * len(majors)
