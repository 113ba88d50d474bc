"""The answer to a person in danger, or to somebody who worries about one."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState, said
from backend.models.risk_replies import Replies


def respond_to_crisis(state: CounselState, runtime: Runtime[Context], *, replies: Replies) -> dict[str, Any]:
    """Give the fixed reply for the kind of crisis; no model has a part in it."""
    risk = state["risk"]
    reply = replies.crisis(risk["kind"], risk["about"], again=state.get("route") == "crisis")
    return {"route": "crisis", **said(state["question"], reply)}
