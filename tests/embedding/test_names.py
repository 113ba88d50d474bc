from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.embedding.names import MajorNames
from backend.resources import Resources


@pytest.fixture(scope="module")
def names(resources: Resources) -> MajorNames:
    return MajorNames(resources.majors)


@pytest.mark.parametrize(
    ("text", "majors"),
    [
        ("컴퓨터공학과에서는 무엇을 배우나요?", ["컴퓨터공학과"]),
        ("컴퓨터 공학과랑 전자공학과 비교", ["컴퓨터공학과", "전자공학과"]),
        ("컴공 졸업하면 뭐해요", ["컴퓨터공학과"]),
        ("호텔경영학과 알려줘", ["호텔경영학과"]),
        ("심리학은 뭘 배워요", ["심리학과"]),
        ("간호학과정이 궁금해요", []),
        ("수학을 못해요", []),
        ("음악과 미술을 둘 다 좋아해요", []),
        ("교내 사복 입고 다니는 학교", []),
        ("전전긍긍하고 있어요", []),
    ],
)
def test_find(names: MajorNames, text: str, majors: list[str]) -> None:
    assert [named.major for named in names.find(text)] == majors


def test_majors_that_are_not_wanted(names: MajorNames) -> None:
    assert [(named.major, named.excluded) for named in names.find("의예과 말고 간호학과는요?")] == [
        ("의예과", True),
        ("간호학과", False),
    ]


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("마법학과는 뭘 배워요?", ["마법학과"]),
        ("용사양성학과 있나요", ["용사양성학과"]),
        ("무슨 학과에 가야 하나요", []),
        ("이과랑 문과 중에 뭐가 좋아요", []),
        ("결과가 안 좋아요", []),
        ("컴퓨터공학과는 어때요", []),
    ],
)
def test_unknown(names: MajorNames, text: str, unknown: list[str]) -> None:
    assert names.unknown(text) == unknown


def test_every_name_is_found_alone(names: MajorNames, resources: Resources) -> None:
    for major in resources.majors:
        assert [named.major for named in names.find(f"{major.major}에서는 뭘 배워요?")] == [major.major]


@given(st.text(max_size=80))
def test_places_are_in_the_text(text: str) -> None:
    from backend.settings import Settings

    names = _shipped(Settings())
    for named in names.find(text):
        assert text[named.start : named.end] == named.spelling
    names.unknown(text)


_cache: dict[str, MajorNames] = {}


def _shipped(settings: object) -> MajorNames:
    from backend.embedding.majors import read_majors
    from backend.settings import Settings

    if "names" not in _cache:
        _cache["names"] = MajorNames(read_majors(Settings().data_folder / "majors"))
    return _cache["names"]
