from __future__ import annotations

import pytest

from backend.embedding.majors import Major, Offering
from backend.embedding.universities import Universities


def _major(name: str, *offerings: tuple[str, str]) -> Major:
    universities = [Offering(school=school, department=department) for school, department in offerings]
    return Major(major=name, summary="-", interest="-", jobs=[], universities=universities)


UNIVERSITIES = Universities(
    [
        _major("간호학과", ("충남대학교", "간호학과"), ("서울여자대학교", "간호학부")),
        _major("한의예과", ("동국대학교", "한의예과"), ("동국대학교 WISE캠퍼스", "한의예과")),
        _major("수학과", ("충남대학교", "수학과"), ("한국과학기술원", "수리과학과"), ("부산교육대학교", "수학교육과")),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("충남대에 간호학과 있나요", ["충남대학교"]),
        ("충남대학교는 무슨 과가 있어요", ["충남대학교"]),
        ("서울여대랑 충남대", ["서울여자대학교", "충남대학교"]),
        ("카이스트 수학과", ["한국과학기술원"]),
        ("부산교대 어때요", ["부산교육대학교"]),
        ("동국대학교 WISE캠퍼스", ["동국대학교 WISE캠퍼스"]),
        ("충남대입구에서 만나", []),
        ("기대가 돼요", []),
    ],
)
def test_schools_are_found_by_name_and_short_form(text: str, named: list[str]) -> None:
    assert UNIVERSITIES.named(text) == named


def test_what_a_school_teaches() -> None:
    (found,) = UNIVERSITIES.found("충남대에는 뭐가 있어요")
    assert found["text"].splitlines() == ["간호학과: 간호학과", "수학과: 수학과"]
    assert (found["title"], found["section"], found["id"]) == ("충남대학교", "개설 학과", "충남대학교/majors")


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("한빛대에 간호학과 있나요", ["한빛대"]),
        ("새벽대학교는 어때요", ["새벽대학교"]),
        ("충남대에 있어요?", []),
        ("무슨 대학에 가야 해요", []),
        ("공대에 가고 싶어요 기대 중", []),
        ("의대에 가려면", []),
    ],
)
def test_schools_that_no_record_knows(text: str, unknown: list[str]) -> None:
    assert UNIVERSITIES.unknown(text) == unknown


def test_where_no_university_is_known_none_is_unknown() -> None:
    assert not Universities([_major("수학과")])
    assert Universities([_major("수학과")]).unknown("한빛대에 있나요") == []
