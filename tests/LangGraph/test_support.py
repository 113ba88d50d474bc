from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.embedding.majors import SHIPPED, Major
from backend.embedding.names import MajorNames
from backend.LangGraph.state import Source
from backend.LangGraph.support import cited, supported

NAMES = MajorNames([Major(major=name, summary="-", interest="-", jobs=[]) for name in ("간호학과", "수학과")])
SOURCES = [
    Source(n=1, id="a", title="간호학과", field="개설 대학", snippet="가온대학교: 간호학과", score=1.0, origin=SHIPPED),
    Source(n=2, id="b", title="간호학과", field="취업 현황", snippet="취업률은 60% 이상 구간입니다.", score=1.0, origin=SHIPPED),
]


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("간호학과는 가온대학교에 있습니다. [1]", True),
        ("간호학과는 가온대학교에 있습니다 [1].", True),
        ("취업률은 60% 이상입니다. [2]", True),
        ("취업률은 60% 이상입니다. [1]", False),  # another source says so
        ("취업률은 80% 이상입니다. [2]", False),
        ("수학과도 있습니다. [1]", False),
        ("마법학과도 있습니다. [1]", False),
        ("누리대학교에도 있습니다. [1]", False),
        ("간호학과는 좋은 학과입니다.", False),  # no source
        ("간호학과는 좋은 학과입니다. [3]", False),  # no such source
    ],
)
def test_a_sentence_says_only_what_it_cites(sentence: str, kept: bool) -> None:
    assert bool(supported(sentence, SOURCES, NAMES)) == kept


def test_a_citation_belongs_to_the_sentence_before_it() -> None:
    text = "간호학과는 가온대학교에 있습니다. [1] 취업률은 60% 이상입니다. [2] 연봉은 5000입니다. [2]"
    left = supported(text, SOURCES, NAMES)
    assert left == "간호학과는 가온대학교에 있습니다 [1]. 취업률은 60% 이상입니다 [2]."
    assert [source["n"] for source in cited(left, SOURCES)] == [1, 2]


@given(st.text(max_size=60))
def test_whatever_is_written_no_foreign_number_is_left(text: str) -> None:
    left = supported(f"{text} 777입니다. [1]", SOURCES, NAMES)
    assert "777" not in left
