from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.decline_off_topic import decline_off_topic
from backend.LangGraph.prompts import OFF_TOPIC
from backend.resources import Resources


def test_it_says_what_it_can_do(resources: Resources, runtime: Runtime[Context]) -> None:
    risk = {"level": "none", "kind": None, "about": "self"}
    update = decline_off_topic({"question": "나를 웃겨봐", "risk": risk}, runtime, replies=resources.replies)  # type: ignore[typeddict-item]
    assert "학과" in update["answer"]
    assert "고민" in update["answer"]
    assert "AI" in update["answer"]
    assert len(update["messages"]) == 2


def test_somebody_to_worry_about_is_not_sent_away(resources: Resources, runtime: Runtime[Context]) -> None:
    risk = {"level": "concern", "kind": "eating", "about": "self"}
    update = decline_off_topic({"question": "또 게워냈어", "risk": risk}, runtime, replies=resources.replies)  # type: ignore[typeddict-item]
    assert "1388" in update["answer"]
    assert OFF_TOPIC.text not in update["answer"]
