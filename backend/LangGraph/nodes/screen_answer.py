"""The last look at what a person is about to read."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from backend.korean import sentences
from backend.LangGraph.context import Context
from backend.LangGraph.prompts import WITHHELD
from backend.LangGraph.state import CounselState, Degraded
from backend.models.unsafe_answers import AnswerScreen


def screen_answer(state: CounselState, runtime: Runtime[Context], *, answer_screen: AnswerScreen) -> dict[str, Any]:
    """Replace an answer that holds something unsafe by the fixed reply, in the thread too."""
    rule = next(filter(None, map(answer_screen.unsafe, sentences(state["answer"]))), None)
    if rule is None:
        return {}
    last = state["messages"][-1]
    return {
        "answer": WITHHELD.text,
        "sources": [],
        "messages": [AIMessage(WITHHELD.text, id=last.id)],
        "degraded": [Degraded(part="screen_answer", reason=f"안전 규칙({rule})에 걸려 답을 바꾸었습니다.")],
    }
