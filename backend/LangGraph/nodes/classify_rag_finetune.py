"""Deciding which branches a message needs."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context, options
from backend.LangGraph.state import CounselState, Scores
from backend.models.router import Router


def classify_rag_finetune(state: CounselState, runtime: Runtime[Context], *, router: Router) -> dict[str, Any]:
    """Judge what the message needs, and write the route; a forced mode changes the route, not the judgement."""
    decision = router.decide(state["standalone_question"], state["query_vector"])
    mode = options(runtime).mode
    return {
        "route": decision.route if mode == "auto" else mode,
        "confidence": decision.confidence,
        "scores": Scores(facts=decision.facts, counsel=decision.counsel, off_topic=decision.off_topic),
        "reason": decision.reason,
    }
