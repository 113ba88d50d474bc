from __future__ import annotations

import pytest

from backend.embedding.retrieved import Retrieved
from backend.embedding.retriever import Retriever
from backend.resources import Resources


@pytest.fixture(scope="module")
def retriever(resources: Resources) -> Retriever:
    opened: Retriever = resources.retriever
    return opened


def _retrieve(resources: Resources, question: str, k: int = 5) -> Retrieved:
    found: Retrieved = resources.retriever.retrieve(question, resources.embedder.embed_query(question), k)
    return found


def _majors(found: Retrieved) -> list[str]:
    return list(dict.fromkeys(document["title"] for document in found["documents"]))


def test_a_named_major_comes_first_with_all_its_sections(resources: Resources) -> None:
    found = _retrieve(resources, "컴공 졸업하면 뭐 해요?", k=1)
    assert _majors(found) == found["named"] == ["컴퓨터공학과"]
    assert {document["section"] for document in found["documents"]} >= {"학과 소개", "배우는 내용", "진출 직업"}
    assert all(document["section"] != "학생의 질문" for document in found["documents"])


def test_two_named_majors_come_in_the_questions_order(resources: Resources) -> None:
    assert _majors(_retrieve(resources, "전자공학과랑 컴퓨터공학과 중에 뭐가 나아요"))[:2] == ["전자공학과", "컴퓨터공학과"]


def test_an_interest_finds_its_majors(resources: Resources) -> None:
    assert "수의학과" in _majors(_retrieve(resources, "아픈 강아지를 치료해 주는 사람이 되고 싶어요"))
    assert "초등교육과" in _majors(_retrieve(resources, "초등학교 담임 선생님이 꿈이에요"))


def test_what_is_not_wanted_is_left_out(resources: Resources) -> None:
    found = _retrieve(resources, "의예과 말고도 생명과학 계열에서 연구 중심인 학과 추천해 주세요")
    assert found["excluded"] == ["의예과"]
    assert "의예과" not in _majors(found)
    assert found["documents"]


@pytest.mark.parametrize("question", ["마법학과는 뭘 배워요?", "용사양성학과 나오면 뭐 해요", "포켓몬조련학과 알려줘"])
def test_majors_that_do_not_exist_are_said_not_to(resources: Resources, question: str) -> None:
    found = _retrieve(resources, question)
    assert found["documents"] == []
    assert found["unknown"]
    assert found["nearest"]


def test_nothing_fits_what_is_about_nothing(resources: Resources) -> None:
    found = _retrieve(resources, "asdf qwer 1234")
    assert found["documents"] == []
    assert len(found["nearest"]) == 3


def test_relevance_is_a_share(retriever: Retriever, resources: Resources) -> None:
    found = _retrieve(resources, "그림 그리는 걸 좋아해요", k=20)
    scores = [document["score"] for document in found["documents"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < sum({document["title"]: document["score"] for document in found["documents"]}.values()) <= 1.001


def test_ranking_is_for_all_queries(retriever: Retriever, resources: Resources) -> None:
    ranking = retriever.rank("마법학과", resources.embedder.embed_query("마법학과"), k=10)
    assert len(ranking) == len(set(ranking)) == 10
