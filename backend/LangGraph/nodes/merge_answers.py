"""One answer out of what the branches gave."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.care import care_first
from backend.LangGraph.context import Context
from backend.LangGraph.prompts import BRIDGE_TO_FACTS, NEXT_STEP_AFTER_BOTH, NOTHING_WORKED
from backend.LangGraph.state import CounselState, said
from backend.models.risk_replies import Replies


def merge_answers(state: CounselState, runtime: Runtime[Context], *, replies: Replies) -> dict[str, Any]:
    """Pass one answer through; weave two: acknowledge first, then the facts with their sources, then one next step.

    Where the screen is concerned, care stands before all of it.
    """
    answers = state.get("answers", {})
    rag, finetune = answers.get("rag"), answers.get("finetune")
    if rag and finetune:
        answer = "\n\n".join([finetune["text"], BRIDGE_TO_FACTS.text, rag["text"], NEXT_STEP_AFTER_BOTH.text])
    elif rag or finetune:
        answer = (rag or finetune or {})["text"]
    else:
        answer = NOTHING_WORKED.text
    if care := care_first(state, replies):
        answer = f"{care}\n\n{answer}"
    return {"sources": rag["sources"] if rag else [], **said(state["question"], answer)}
