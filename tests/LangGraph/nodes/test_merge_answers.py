from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.merge_answers import merge_answers
from backend.LangGraph.prompts import NOTHING_WORKED
from backend.LangGraph.state import BranchAnswer, CounselState, Source
from backend.resources import Resources

SOURCE = Source(n=1, id="법학과/summary", title="법학과", field="학과 소개", snippet="법", score=1.0)
RAG = BranchAnswer(text="법을 배웁니다. [1]", seconds=0.1, sources=[SOURCE])
COUNSEL = BranchAnswer(text="많이 고민했겠어요.", seconds=1.0, model="m", adapter=None, origin="generated")


def _state(answers: object, level: str = "none", kind: str | None = None) -> CounselState:
    return {"question": "q", "answers": answers, "risk": {"level": level, "kind": kind, "about": "self"}}  # type: ignore[typeddict-item]


def test_one_answer_passes_through(resources: Resources, runtime: Runtime[Context]) -> None:
    rag = merge_answers(_state({"rag": RAG}), runtime, replies=resources.replies)
    assert (rag["answer"], rag["sources"]) == ("법을 배웁니다. [1]", [SOURCE])
    counsel = merge_answers(_state({"finetune": COUNSEL}), runtime, replies=resources.replies)
    assert (counsel["answer"], counsel["sources"]) == ("많이 고민했겠어요.", [])


def test_two_answers_are_woven_in_order(resources: Resources, runtime: Runtime[Context]) -> None:
    update = merge_answers(_state({"rag": RAG, "finetune": COUNSEL}), runtime, replies=resources.replies)
    answer = update["answer"]
    assert answer.index("많이 고민했겠어요.") < answer.index("법을 배웁니다. [1]") < answer.index("다시 이야기해 주세요")
    assert update["sources"] == [SOURCE]
    assert [message.text for message in update["messages"]] == ["q", answer]


def test_no_answer_is_an_honest_apology(resources: Resources, runtime: Runtime[Context]) -> None:
    assert merge_answers(_state({}), runtime, replies=resources.replies)["answer"] == NOTHING_WORKED.text


def test_care_comes_before_the_answer(resources: Resources, runtime: Runtime[Context]) -> None:
    update = merge_answers(_state({"rag": RAG}, "concern", "violence"), runtime, replies=resources.replies)
    assert update["answer"].index("117") < update["answer"].index("법을 배웁니다. [1]")
