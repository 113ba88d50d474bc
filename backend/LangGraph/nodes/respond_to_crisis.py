"""The answer to a person in danger."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState, said
from backend.models.risk import RiskScreen


def respond_to_crisis(state: CounselState, runtime: Runtime[Context], *, risk: RiskScreen) -> dict[str, Any]:
    """Give the fixed reply for the kind of crisis; no model has a part in it."""
    return {"route": "crisis", **said(state["question"], risk.reply(state["risk"]["kind"]))}
