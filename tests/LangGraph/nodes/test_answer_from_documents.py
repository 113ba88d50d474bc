from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from backend.embedding.majors import SHIPPED, Major
from backend.embedding.names import MajorNames
from backend.embedding.retrieved import Document, Retrieved
from backend.embedding.retriever import nothing
from backend.LangGraph.context import Context
from backend.LangGraph.nodes.answer_from_documents import answer_from_documents, answer_from_documents_async
from backend.LangGraph.prompts import NOT_SUPPORTED_NOTICE, TOO_SMALL_TO_WRITE_NOTICE
from backend.LangGraph.state import CounselState
from backend.models.gemma import Counsellor


def _retrieved(**changes: Any) -> Retrieved:
    sections = {
        "학과 소개": "법을 배웁니다. 둘째 문장.",
        "배우는 내용": "1학년: 민법을 배웁니다.",
        "진출 직업": "변호사, 검사",
        "흥미와 적성": "글을 잘 읽는 사람에게 맞습니다.",
    }
    documents = [
        Document(id=f"법학과/{name}", title="법학과", section=name, text=text, score=1.0, origin=SHIPPED)
        for name, text in sections.items()
    ]
    return {**nothing(), "documents": documents, "named": ["법학과"], "seconds": 0.01, **changes}  # type: ignore[typeddict-item]


NAMES = MajorNames([Major(major=name, summary="-", interest="-", jobs=[]) for name in ("법학과", "행정학과")])


def _answer(
    question: str, retrieved: Retrieved, runtime: Runtime[Context], facts_writer: Counsellor | None = None
) -> dict[str, Any]:
    state: CounselState = {"question": question, "standalone_question": question, "retrieved": retrieved}
    return answer_from_documents(state, runtime, facts_writer=facts_writer, names=NAMES)


def test_the_section_asked_for_with_its_source(runtime: Runtime[Context]) -> None:
    update = _answer("법학과는 뭘 배워요?", _retrieved(), runtime)
    answer = update["answers"]["rag"]
    assert "1학년: 민법을 배웁니다. [1]" in answer["text"]
    assert "변호사" not in answer["text"]
    assert [(source["n"], source["title"], source["field"]) for source in answer["sources"]] == [(1, "법학과", "배우는 내용")]
    assert update["topic"] == ["법학과"]
    assert answer["seconds"] >= 0.01


def test_nothing_found_is_said_and_the_nearest_named(runtime: Runtime[Context]) -> None:
    nothing = _retrieved(documents=[], named=[], unknown=["마법학과"], nearest=["법학과"])
    update = _answer("마법학과는 뭘 배워요?", nothing, runtime)
    answer = update["answers"]["rag"]
    assert "마법학과는 제가 가진 자료에 없습니다" in answer["text"]
    assert "법학과" in answer["text"]
    assert answer["sources"] == []
    assert "topic" not in update


def test_what_the_data_never_holds_is_said(runtime: Runtime[Context]) -> None:
    text = _answer("법학과 연봉이랑 취업 알려줘", _retrieved(), runtime)["answers"]["rag"]["text"]
    assert "연봉은 제 자료에 없어" in text
    assert "변호사, 검사 [1]" in text


WRITTEN = "1학년 때 민법을 배웁니다. [1] 행정학과에서도 배웁니다. [1] 취업률은 92%입니다. [1] 2학년에는 형법을 배웁니다."


def test_a_capable_model_writes_and_only_what_sources_say_is_kept(
    runtime: Runtime[Context], scripted: Callable[..., Counsellor]
) -> None:
    writer = scripted(WRITTEN)
    answer = _answer("법학과는 뭘 배워요?", _retrieved(), runtime, writer)["answers"]["rag"]
    assert answer["text"] == "1학년 때 민법을 배웁니다 [1]."
    assert answer["model"] == "scripted"
    assert [source["field"] for source in answer["sources"]] == ["배우는 내용"]


def test_the_async_face_does_the_same(runtime: Runtime[Context], scripted: Callable[..., Counsellor]) -> None:
    question = "법학과는 뭘 배워요?"
    state: CounselState = {"question": question, "standalone_question": question, "retrieved": _retrieved()}
    update = asyncio.run(answer_from_documents_async(state, runtime, facts_writer=scripted(WRITTEN), names=NAMES))
    assert update["answers"]["rag"]["text"] == "1학년 때 민법을 배웁니다 [1]."


def test_where_nothing_is_supported_the_found_sentences_are_shown_and_it_is_told(
    runtime: Runtime[Context], scripted: Callable[..., Counsellor]
) -> None:
    update = _answer("법학과는 뭘 배워요?", _retrieved(), runtime, scripted("서울대학교에서 3년 배웁니다. [7]"))
    assert "1학년: 민법을 배웁니다. [1]" in update["answers"]["rag"]["text"]
    assert update["degraded"][0]["reason"] == NOT_SUPPORTED_NOTICE


def test_the_embedded_model_is_too_small_to_write(runtime: Runtime[Context], scripted: Callable[..., Counsellor]) -> None:
    small = replace(scripted(WRITTEN), small=True)
    update = _answer("법학과는 뭘 배워요?", _retrieved(), runtime, small)
    assert "1학년: 민법을 배웁니다. [1]" in update["answers"]["rag"]["text"]
    assert update["degraded"][0]["reason"] == TOO_SMALL_TO_WRITE_NOTICE
