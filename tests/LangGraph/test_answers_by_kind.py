"""Kinds of questions → what the answer must rest on and what it must not, through the real retriever and the real composer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.embedding.majors import Major, Section
from backend.embedding.retrieved import Retrieved
from backend.LangGraph.grounded_answer import compose_answer
from backend.LangGraph.state import Source
from backend.resources import Resources
from backend.settings import Settings
from tests.embedding.test_careernet import RECORD, _csv

LEARN, SUITS, JOBS, LICENCES = Section.CURRICULUM, Section.INTEREST, Section.JOBS, Section.QUALIFICATIONS
ABOUT, DIFFERENT, FEATURES = Section.SUMMARY, Section.RELATED, Section.FEATURES
WORK, SCHOOLS, AT_SCHOOL = Section.EMPLOYMENT, Section.UNIVERSITIES, "개설 학과"

Ask = Callable[[str, str], tuple[str, list[Source]]]


@pytest.fixture(scope="module")
def ask(resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers from the shipped majors, or from a small corpus in CareerNet's form."""
    folder = tmp_path_factory.mktemp("careernet")
    names = {"간호학과": "가온대학교:간호학과 | 누리대학교:간호학부", "컴퓨터공학과": "가온대학교:컴퓨터학부", "수학과": ""}
    records = [
        RECORD | {"majorSeq": str(n), "major": name, "summary": f"{name}에서 배우는 것을 적습니다.", "universities": schools}
        for n, (name, schools) in enumerate(names.items())
    ]
    (folder / "a.csv").write_text(_csv(*records)[0], encoding="utf-8")
    small = Resources(Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), collection="careernet"))
    small.build_index([folder])
    opened = {"majors": resources, "careernet": small}

    def answer(collection: str, question: str) -> tuple[str, list[Source]]:
        chosen = opened[collection]
        found: Retrieved = chosen.retriever.retrieve(question, chosen.embedder.embed_query(question))
        return compose_answer(question, found)

    return answer


@pytest.mark.parametrize(
    ("collection", "question", "must", "must_not"),
    [
        # what is learnt
        ("majors", "컴공에서는 뭘 배워요?", {LEARN}, {JOBS, LICENCES, ABOUT}),
        ("majors", "심리학과 과목이 궁금해요", {LEARN}, {JOBS, SUITS}),
        ("majors", "건축학과 4학년 때는 뭐 하나요", {LEARN}, {JOBS}),
        ("careernet", "간호학과는 뭘 배워요?", {FEATURES}, {JOBS, WORK, SCHOOLS}),
        # whom it suits
        ("majors", "간호학과는 어떤 사람에게 맞아요?", {SUITS}, {LEARN, JOBS}),
        ("majors", "제 성격에 회계학과가 맞을까요", {SUITS}, {LICENCES}),
        ("majors", "수의학과 적성", {SUITS}, {LEARN}),
        # jobs
        ("majors", "통계학과 나오면 무슨 일 해요", {JOBS}, {LEARN, SUITS}),
        ("majors", "신소재공학과 진로", {JOBS}, {SUITS}),
        ("majors", "화학과 취업은 어디로 하나요", {JOBS}, {LICENCES}),
        # licences
        ("majors", "물리치료학과 졸업하려면 무슨 면허 따야 돼요", {LICENCES}, {LEARN}),
        ("majors", "토목공학과 자격증 알려줘", {LICENCES}, {LEARN, SUITS}),
        # two asked at once
        ("majors", "간호학과는 뭘 배우고 어떤 직업을 가져요?", {LEARN, JOBS}, {LICENCES}),
        # tell me about
        ("majors", "철학과 알려줘", {ABOUT, LEARN, JOBS}, {LICENCES, DIFFERENT}),
        ("careernet", "수학과 알려줘", {ABOUT, FEATURES, JOBS}, {WORK, SCHOOLS}),
        # two majors, point by point
        ("majors", "전자공학과랑 전기공학과 차이가 뭐예요", {DIFFERENT, ABOUT}, {LICENCES}),
        ("majors", "행정학과와 정치외교학과 중에 뭐가 나한테 맞을까요", {SUITS}, {LICENCES}),
        ("majors", "사학과 vs 고고학과", {ABOUT, SUITS, JOBS}, {LICENCES}),
        # which major suits me: several, each with its own reason
        ("majors", "동물을 돌보는 일을 하고 싶은데 무슨 과를 가야 해요?", {ABOUT, SUITS}, {LICENCES, LEARN}),
        ("majors", "수학은 싫은데 그림은 좋아하는 사람에게 학과 추천해 주세요", {ABOUT, SUITS}, {LICENCES}),
        ("majors", "의예과 말고 사람을 돕는 학과 추천", {ABOUT, SUITS}, {LICENCES}),
        # which university
        ("careernet", "간호학과가 있는 대학 어디예요?", {SCHOOLS}, {LEARN, JOBS, WORK}),
        ("careernet", "간호학과 어느 대학에 있어요", {SCHOOLS}, {JOBS}),
        ("careernet", "가온대에는 무슨 과가 있어요", {AT_SCHOOL}, {LEARN, JOBS, WORK}),
        ("careernet", "누리대에 간호학과 있나요", {AT_SCHOOL}, {ABOUT, JOBS}),
        ("careernet", "가온대 간호학과는 뭘 배워요", {AT_SCHOOL, FEATURES}, {JOBS}),
        # pay and employment
        ("careernet", "간호학과 취업률 알려줘", {WORK}, {JOBS, LEARN}),
        ("careernet", "컴공 나오면 월급 얼마나 돼요", {WORK}, {LEARN}),
        # what is not there
        ("majors", "간호학과 취업률 알려줘", set(), {WORK, LEARN, LICENCES}),
        ("majors", "간호학과 있는 대학 알려줘", set(), {SCHOOLS}),
        ("majors", "마법학과는 뭘 배워요", set(), {LEARN, ABOUT}),
        ("careernet", "한빛대에 간호학과 있나요", set(), {AT_SCHOOL, ABOUT}),
    ],
)
def test_a_question_gets_what_it_asks_for(ask: Ask, collection: str, question: str, must: set[str], must_not: set[str]) -> None:
    text, sources = ask(collection, question)
    fields = {source["field"] for source in sources}
    assert must <= fields, text
    assert not must_not & fields, text


def test_pay_and_employment_are_told_apart_and_as_of_an_unknown_year(ask: Ask) -> None:
    rate, _ = ask("careernet", "간호학과 취업률 알려줘")
    pay, _ = ask("careernet", "간호학과 월급 알려줘")
    assert "60% 이상 구간" in rate
    assert "만 원" not in rate
    assert "235.5만 원" in pay
    assert "구간" not in pay
    assert "조사" in rate
    assert "조사" in pay


def test_what_a_university_has_and_has_not(ask: Ask) -> None:
    assert "누리대학교에 있습니다: 간호학과 (간호학부) [1]" in ask("careernet", "누리대에 간호학과 있나요")[0]
    assert "누리대학교에는 컴퓨터공학과가 자료에 없습니다" in ask("careernet", "누리대에 컴공 있나요")[0]
    assert "한빛대는 제가 가진 자료에 없는 학교" in ask("careernet", "한빛대에 간호학과 있나요")[0]
    assert "대학 목록은 제 자료에 없어" in ask("majors", "간호학과 있는 대학 알려줘")[0]


def test_a_recommendation_has_three_to_five_majors_with_reasons_in_their_own_text(ask: Ask) -> None:
    text, sources = ask("majors", "바다에서 일하고 싶은데 어떤 학과가 있어요?")
    offered = [line for line in text.splitlines() if line.startswith("- ")]
    assert 3 <= len(offered) <= 5
    assert all(line.count("[") == 2 for line in offered)
    assert len({source["title"] for source in sources}) == len(offered)


INVENTED = (
    "마법학과 용사양성학과 포켓몬조련학과 시간여행학과 외계언어학과 투명인간학과 드래곤사육학과 순간이동공학과 행운학과 먹방학과 "
    "유튜브스타학과 로또학과 좀비방역학과 꿈해몽학과 게으름학과 연애학과 초능력개발학과 우주해적학과 인어언어학과 타임머신공학과"
).split()


@pytest.mark.parametrize("name", INVENTED)
@pytest.mark.parametrize("collection", ["majors", "careernet"])
def test_majors_that_do_not_exist_are_said_not_to(ask: Ask, collection: str, name: str) -> None:
    text, sources = ask(collection, f"{name}는 뭘 배워요?")
    assert f"{name}는 제가 가진 자료에 없습니다" in text
    assert sources == []


def test_a_major_that_only_another_collection_has_is_said_not_to_be_there(ask: Ask) -> None:
    text, sources = ask("careernet", "작곡과는 뭘 배워요?")
    assert "작곡과는 제가 가진 자료에 없습니다" in text
    assert sources == []


NUMBER = re.compile(r"\d+(?:\.\d+)?")
LISTED = re.compile(r"^- ([^:]+): |^(\S+) — ", re.MULTILINE)


def test_every_number_and_name_of_200_answers_stands_in_a_cited_source(ask: Ask, resources: Resources) -> None:
    rows = [json.loads(line) for line in Path("data/retrieval/dev.jsonl").read_text(encoding="utf-8").splitlines()]
    majors: dict[str, Major] = resources.retriever.majors
    checked = 0
    for row in rows[:: len(rows) // 200][:200]:
        text, sources = ask("majors", row["query"])
        told = re.sub(r"\[\d+\]", "", text)
        cited = " ".join(f"{source['title']} {source['snippet']}" for source in sources)
        if not sources:
            continue
        checked += 1
        assert set(NUMBER.findall(told)) <= set(NUMBER.findall(cited)), text
        named = {first or second for first, second in LISTED.findall(told)} & set(majors)
        assert named <= {source["title"] for source in sources}, text
        assert [int(n) for n in dict.fromkeys(re.findall(r"\[(\d+)\]", text))] == [source["n"] for source in sources]
        for line in text.splitlines():
            if line.startswith("- ") and ": " in line:
                for sentence in re.split(r" ?\[\d+\] ?", line.split(": ", 1)[1]):
                    assert sentence in cited, sentence
    assert checked >= 150
