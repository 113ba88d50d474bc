"""The answer to what Jindam is not for."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.prompts import OFF_TOPIC
from backend.LangGraph.state import CounselState, said


def decline_off_topic(state: CounselState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Say kindly what Jindam can do instead."""
    return said(state["question"], OFF_TOPIC.text)
