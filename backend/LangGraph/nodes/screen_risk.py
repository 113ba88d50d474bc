"""The first node: looking whether the person is in danger."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState, Risk, fresh_turn
from backend.models.risk import RiskScreen


def screen_risk(state: CounselState, runtime: Runtime[Context], *, risk: RiskScreen) -> dict[str, Any]:
    """Clear what the last turn left, and screen the message before any other node reads it."""
    found = risk.assess(state["question"])
    return {**fresh_turn(), "risk": Risk(level=found.level, kind=found.kind)}
