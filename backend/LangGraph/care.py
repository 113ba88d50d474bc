"""What stands before a normal answer when the screen is concerned."""

from __future__ import annotations

from backend.LangGraph.state import CounselState
from backend.models.risk_replies import Replies


def care_first(state: CounselState, replies: Replies) -> str:
    """The check-in with its helplines at ``concern``; nothing otherwise."""
    risk = state["risk"]
    return replies.check_in(risk["kind"], risk["about"]) if risk["level"] == "concern" else ""
