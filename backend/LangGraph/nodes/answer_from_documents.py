"""The facts branch's answer."""

from __future__ import annotations

import time
from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.grounded_answer import compose_answer
from backend.LangGraph.state import BranchAnswer, CounselState


def answer_from_documents(state: CounselState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Compose the answer from the passages that were found, each statement with its source."""
    start = time.perf_counter()
    retrieved = state["retrieved"]
    text, sources = compose_answer(state["standalone_question"], retrieved)
    seconds = retrieved["seconds"] + time.perf_counter() - start
    update: dict[str, Any] = {"answers": {"rag": BranchAnswer(text=text, seconds=seconds, sources=sources)}}
    if sources:
        update["topic"] = list(dict.fromkeys(source["title"] for source in sources))[:2]
    return update
