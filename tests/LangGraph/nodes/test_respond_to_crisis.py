from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.respond_to_crisis import respond_to_crisis
from backend.resources import Resources


def test_the_reply_is_fixed_and_said_in_the_thread(resources: Resources, runtime: Runtime[Context]) -> None:
    update = respond_to_crisis({"question": "맞아요", "risk": {"level": "crisis", "kind": "abuse"}}, runtime, risk=resources.risk)
    assert update["route"] == "crisis"
    assert "112" in update["answer"]
    assert [message.text for message in update["messages"]] == ["맞아요", update["answer"]]


def test_an_unknown_kind_still_shows_helplines(resources: Resources, runtime: Runtime[Context]) -> None:
    update = respond_to_crisis({"question": "q", "risk": {"level": "crisis", "kind": None}}, runtime, risk=resources.risk)
    assert "109" in update["answer"]
