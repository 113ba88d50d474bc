"""Own documents, with and without majors beside them, through the real index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.embedding.retrieved import Retrieved
from backend.errors import JindamError
from backend.resources import Resources
from backend.settings import Settings

RULES = """# 학칙 안내

휴학은 한 번에 두 학기까지, 모두 합해 여섯 학기까지 할 수 있습니다. 군 휴학은 여기에 넣지 않습니다.

# 진로상담실

진로상담실은 학생회관 2층 204호에 있고, 평일 오전 10시부터 오후 5시까지 엽니다. 예약은 누리집에서 합니다.

# 현장실습

현장실습은 3학년 여름방학에 4주 동안 하며, 신청서는 5월 마지막 주에 학과 사무실로 냅니다.
"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "학교자료"
    folder.mkdir()
    for part in RULES.split("# ")[1:]:
        title, _, text = part.partition("\n")
        (folder / f"{title.strip()}.md").write_text(text.strip(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def own(papers: Path, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """A collection of documents alone."""
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), collection="school")
    resources = Resources(settings)
    resources.build_index([papers])
    return resources


@pytest.fixture(scope="module")
def look_up(own: Resources) -> Callable[[str], Retrieved]:
    return lambda question: own.retriever.retrieve(question, own.embedder.embed_query(question))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("휴학은 몇 번까지 할 수 있어요?", "학교자료/학칙 안내.md"),
        ("상담실 어디 있어요? 예약해야 하나요", "학교자료/진로상담실.md"),
        ("실습 신청서 언제까지 내야 해요", "학교자료/현장실습.md"),
    ],
)
def test_a_question_finds_its_paper(look_up: Callable[[str], Retrieved], question: str, file: str) -> None:
    found = look_up(question)
    assert found["chunks"][0]["title"] == file
    assert found["documents"] == []


@pytest.mark.parametrize("question", ["떡볶이 맛있게 하는 법", "비트코인 지금 사도 될까", "asdf qwer"])
def test_nothing_fits_what_no_paper_is_about(look_up: Callable[[str], Retrieved], question: str) -> None:
    assert look_up(question)["chunks"] == []


def test_a_collection_that_nobody_made_is_refused(tmp_path: Path) -> None:
    resources = Resources(Settings(_env_file=None, home=tmp_path, collection="nobody"))
    with pytest.raises(JindamError, match="nobody 자료가 없습니다") as caught:
        _ = resources.retriever
    assert "--collection nobody" in caught.value.fix
    with pytest.raises(JindamError, match="무엇으로"):
        resources.build_index()


def test_the_paths_of_the_last_time_are_read_again(own: Resources, papers: Path) -> None:
    assert own.build_index().changes is None
    extra = papers / "장학금.txt"
    extra.write_text("장학금 신청은 학기가 시작한 뒤 2주 안에 합니다.", encoding="utf-8")
    indexed = Resources(own.settings).build_index()
    assert indexed.changes is not None
    assert indexed.changes.embedded == 1
    fresh = Resources(own.settings)
    question = "장학금은 언제 신청해요"
    assert fresh.retriever.retrieve(question, fresh.embedder.embed_query(question))["chunks"][0]["title"] == "학교자료/장학금.txt"
    extra.unlink()
    indexed = Resources(own.settings).build_index()
    assert indexed.changes is not None
    assert indexed.changes.removed == 1


def test_majors_do_not_mix_with_the_shipped_ones(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.jsonl").write_text('{"major": "바다학과", "summary": "-", "interest": "-", "jobs": []}', encoding="utf-8")
    with pytest.raises(JindamError, match="섞을 수 없습니다"):
        Resources(settings).build_index([tmp_path])
