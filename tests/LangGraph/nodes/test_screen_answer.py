from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.screen_answer import screen_answer
from backend.LangGraph.prompts import WITHHELD
from backend.resources import Resources


def test_a_safe_answer_is_left_alone(resources: Resources, runtime: Runtime[Context]) -> None:
    assert screen_answer({"question": "q", "answer": "괜찮아요."}, runtime, answer_screen=resources.answer_screen) == {}


def test_an_unsafe_answer_is_replaced_in_the_thread_too(resources: Resources, runtime: Runtime[Context]) -> None:
    said = AIMessage("좋아요. 1234번으로 전화하세요.", id="a")
    state = {"question": "q", "answer": said.text, "messages": [HumanMessage("q"), said]}
    update = screen_answer(state, runtime, answer_screen=resources.answer_screen)  # type: ignore[arg-type]
    assert update["answer"] == WITHHELD.text
    assert update["messages"][0].id == "a"
    assert update["degraded"][0]["part"] == "screen_answer"
