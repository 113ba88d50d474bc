"""The answer to what is none of our business."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.care import care_first
from backend.LangGraph.context import Context
from backend.LangGraph.prompts import OFF_TOPIC, STILL_HERE
from backend.LangGraph.state import CounselState, said
from backend.models.risk_replies import Replies


def decline_off_topic(state: CounselState, runtime: Runtime[Context], *, replies: Replies) -> dict[str, Any]:
    """Say what Jindam can do instead; somebody whom the screen worries about is not sent away."""
    care = care_first(state, replies)
    answer = f"{care}\n\n{STILL_HERE.text}" if care else OFF_TOPIC.text
    return said(state["question"], answer)
