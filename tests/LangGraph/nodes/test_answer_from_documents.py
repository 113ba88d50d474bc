from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.embedding.majors import SHIPPED
from backend.embedding.retrieved import Document, Retrieved
from backend.embedding.retriever import nothing
from backend.LangGraph.context import Context
from backend.LangGraph.nodes.answer_from_documents import answer_from_documents


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


def _answer(question: str, retrieved: Retrieved, runtime: Runtime[Context]) -> dict[str, Any]:
    return answer_from_documents({"question": question, "standalone_question": question, "retrieved": retrieved}, runtime)


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
