from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.decline_off_topic import decline_off_topic


def test_it_says_what_it_can_do(runtime: Runtime[Context]) -> None:
    update = decline_off_topic({"question": "나를 웃겨봐"}, runtime)
    assert "학과" in update["answer"]
    assert "고민" in update["answer"]
    assert "AI" in update["answer"]
    assert len(update["messages"]) == 2
