from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from backend.embedding.contents import Contents, gather, read_contents, write_contents
from backend.embedding.majors import SHIPPED, Major
from backend.errors import JindamError
from tests.embedding.test_careernet import RECORD, _csv

OURS = [Major(major="별자리학과", summary="우리 것", interest="우리 것", jobs=[], slang=["별과"], questions=["별이 좋아요"])]
OWN = {"major": "바다학과", "summary": "바다를 봅니다.", "interest": "물을 좋아하면 맞습니다.", "jobs": ["선원"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "자료"
    (inside / "history").mkdir(parents=True)
    (inside / "majors_공학.csv").write_text(_csv(RECORD)[0], encoding="utf-8-sig")
    other = RECORD | {"majorSeq": "9", "major": "간호학과", "universities": []}
    (inside / "history" / "a.json").write_text(json.dumps([RECORD | {"summary": "옛글입니다."}, other]), encoding="utf-8")
    (inside / "우리.jsonl").write_text(json.dumps(OWN), encoding="utf-8")
    (inside / "안내.md").write_text("상담실은 3층입니다.", encoding="utf-8")
    return inside


def test_everything_below_a_path_is_sorted_into_majors_and_documents(folder: Path) -> None:
    contents, skipped = gather([folder], OURS)
    assert skipped == []
    by_name = {major.major: major for major in contents.majors}
    assert set(by_name) == {"바다학과", "별자리학과", "간호학과"}
    assert (by_name["별자리학과"].summary, by_name["별자리학과"].slang) == ("별을 봅니다.", ["별과"])  # the CSV is the newer one
    assert by_name["바다학과"].origin == "자료/우리.jsonl"
    assert [chunk.text for chunk in contents.chunks] == ["상담실은 3층입니다."]
    assert contents.paths == (str(folder.resolve()),)


def test_a_file_that_is_no_record_is_told(folder: Path) -> None:
    (folder / "나쁜.jsonl").write_text('{"major": "x"}', encoding="utf-8")
    (folder / "나쁜.csv").write_bytes(b"\xff\xff\x81")
    contents, skipped = gather([folder], OURS)
    assert len(contents.majors) == 3
    assert {skip.file for skip in skipped} == {"자료/나쁜.jsonl", "자료/나쁜.csv"}


def test_majors_need_no_package_that_only_documents_need(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_text_splitters", None)
    contents, skipped = gather([folder], OURS)
    assert len(contents.majors) == 3
    ((file, why),) = [(skip.file, skip.why) for skip in skipped]
    assert file == "자료/안내.md"
    assert "jindam[docs]" in why
    with pytest.raises(JindamError, match="필요한 패키지가 없습니다"):
        gather([folder / "안내.md"], OURS)


def test_a_major_twice_and_nothing_at_all_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "또.jsonl").write_text(json.dumps(OWN | {"major": "간호학과"}), encoding="utf-8")
    with pytest.raises(JindamError, match="두 번 나옵니다: 간호학과"):
        gather([folder], OURS)
    (tmp_path / "빈곳").mkdir()
    with pytest.raises(JindamError, match="읽을 자료가 없습니다"):
        gather([tmp_path / "빈곳"], OURS)


def test_what_is_kept_is_what_comes_back(folder: Path, tmp_path: Path) -> None:
    contents, _ = gather([folder], OURS)
    write_contents(tmp_path, contents)
    assert read_contents(tmp_path) == contents
    assert {major.origin for major in contents.majors} == {"자료/우리.jsonl", "커리어넷 학과정보"}
    (tmp_path / "contents.json").write_text('{"majors": [', encoding="utf-8")
    assert read_contents(tmp_path) is None
    assert Contents().majors == ()
    assert OURS[0].origin == SHIPPED
