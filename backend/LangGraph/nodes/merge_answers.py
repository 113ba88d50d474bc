"""One answer out of what the branches gave."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.prompts import BRIDGE_TO_FACTS, NEXT_STEP_AFTER_BOTH, NOTHING_WORKED
from backend.LangGraph.state import CounselState, said


def merge_answers(state: CounselState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Pass one answer through; weave two: acknowledge first, then the facts with their sources, then one next step."""
    answers = state.get("answers", {})
    rag, finetune = answers.get("rag"), answers.get("finetune")
    if rag and finetune:
        answer = "\n\n".join([finetune["text"], BRIDGE_TO_FACTS.text, rag["text"], NEXT_STEP_AFTER_BOTH.text])
    elif rag or finetune:
        answer = (rag or finetune or {})["text"]
    else:
        answer = NOTHING_WORKED.text
    return {"sources": rag["sources"] if rag else [], **said(state["question"], answer)}
