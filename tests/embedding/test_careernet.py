"""Every quirk of the CareerNet files that was seen in the real ones, in small ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from backend.embedding.careernet import ORIGIN, is_careernet, read_careernet, with_ours
from backend.embedding.contents import gather
from backend.embedding.majors import SHIPPED, Major, Section, passages_of, searched_passages_of
from backend.errors import JindamError

RECORD: dict[str, Any] = {
    "majorSeq": "17",
    "major": "별자리학과",
    "salary": "235.5",
    "employment": "60 % 이상",
    "summary": "별을 봅니다.",
    "job": "천문학자, 해설사",
    "qualifications": "별지기1급",
    "interest": "밤을 좋아하면 맞습니다.",
    "property": "하늘을 그립니다.",
    "universities": "가나대학교:별자리학과 | 다라대학교:천체학부",
}


def _csv(*records: dict[str, Any]) -> tuple[str, str]:
    out = io.StringIO()
    writer = csv.DictWriter(out, RECORD.keys())
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue(), ".csv"


def _one(**changes: Any) -> Major:
    (major,) = read_careernet([_csv(RECORD | changes)])
    return major


def test_a_record() -> None:
    major = _one()
    assert (major.major, major.features, major.employment, major.monthly_pay) == (
        "별자리학과",
        "하늘을 그립니다.",
        "60% 이상",
        235.5,
    )
    assert major.jobs == ["천문학자", "해설사"]
    assert [(o.school, o.department) for o in major.universities] == [("가나대학교", "별자리학과"), ("다라대학교", "천체학부")]
    assert (major.origin, major.field) == (ORIGIN, None)  # the files' names lie about the field


def test_a_byte_order_mark_and_the_older_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-8", "cp949"):
        (tmp_path / "a.csv").write_text(_csv(RECORD)[0], encoding=encoding)
        contents, skipped = gather([tmp_path], [])
        assert (list(contents.majors), skipped) == ([_one()], [])


def test_the_same_record_in_two_files_is_one_with_all_universities() -> None:
    again = RECORD | {"universities": "마바대학교:별자리학과 | 가나대학교:별자리학과 | 가나대학교:별자리학과"}
    (major,) = read_careernet([_csv(RECORD), _csv(again)])
    assert [o.school for o in major.universities] == ["가나대학교", "다라대학교", "마바대학교"]


def test_json_with_html_and_universities_as_objects() -> None:
    record = RECORD | {
        "employment": "<strong>80</strong> % 이상",
        "universities": [{"schoolName": "가나대학교", "majorName": "별과"}, {"schoolName": "가나대학교", "majorName": "별과"}],
    }
    text = json.dumps([record], ensure_ascii=False)
    assert is_careernet(text, ".json")
    (major,) = read_careernet([(text, ".json")])
    assert major.employment == "80% 이상"
    assert len(major.universities) == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("구조ㆍ시공・설비･재료", "구조·시공·설비·재료"),
        ("설계, 재료 선택,, 시공", "설계, 재료 선택, 시공"),
        ("목표를 둡니다..", "목표를 둡니다."),
        ("생각해 봅니다...", "생각해 봅니다..."),
        ("별을\n봅니다.  밤에", "별을 봅니다. 밤에"),
        ("IT분야< 토목, 건축", "IT분야, 토목, 건축"),
        ("서비스,. 개인 이동수단", "서비스, 개인 이동수단"),
        ('<img src="x" onerror="alert(1)">별', "별"),
    ],
)
def test_texts_are_cleaned(written: str, read: str) -> None:
    assert _one(summary=written).summary == read


def test_lists_are_cleaned_and_a_sentence_stays_whole() -> None:
    assert _one(job="기사, , 기사, 의사(내과, 외과)").jobs == ["기사", "의사(내과, 외과)"]
    sentence = "세부 전공에 따라 수학과, 물리학과 등의 직업을 참고할 수 있습니다."
    assert _one(job=sentence).jobs == [sentence]


def test_what_is_empty_gives_no_passage() -> None:
    major = _one(qualifications="", universities="", employment="", salary="")
    sections = {passage.section for passage in passages_of(major)}
    assert not sections & {Section.QUALIFICATIONS, Section.UNIVERSITIES, Section.EMPLOYMENT, Section.CURRICULUM}


def test_employment_is_a_band_of_unknown_year_and_neither_it_nor_universities_are_embedded() -> None:
    passages = {passage.section: passage.text for passage in passages_of(_one())}
    assert passages[Section.EMPLOYMENT].count("자료에 없습니다") == 2
    assert "60% 이상 구간" in passages[Section.EMPLOYMENT]
    assert passages[Section.UNIVERSITIES] == "가나대학교: 별자리학과\n다라대학교: 천체학부"
    assert not {Section.EMPLOYMENT, Section.UNIVERSITIES} & {p.section for p in searched_passages_of(_one())}


def test_a_record_without_text_is_named() -> None:
    with pytest.raises(JindamError, match="커리어넷") as caught:
        _one(major="별")
    assert "major" in caught.value.why


@pytest.mark.parametrize(("text", "suffix"), [("a,b\n1,2", ".csv"), ("[]", ".json"), ('{"a": 1}', ".json"), ("{", ".json")])
def test_other_files_are_not_careernet(text: str, suffix: str) -> None:
    assert not is_careernet(text, suffix)


def test_ours_are_attached_by_name_and_said_to_be_ours() -> None:
    ours = Major(
        major="별자리학과", field="자연", slang=["별과"], summary="우리", interest="우리", jobs=[], questions=["별 좋아"]
    )
    (major,) = with_ours([_one()], [ours])
    assert (major.slang, major.field, major.summary) == (["별과"], "자연", "별을 봅니다.")
    origins = {passage.section: passage.origin for passage in passages_of(major)}
    assert (origins[Section.QUESTION], origins[Section.SUMMARY]) == (SHIPPED, ORIGIN)
    assert with_ours([_one()], []) == [_one()]
