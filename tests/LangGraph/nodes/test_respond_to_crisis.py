from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.respond_to_crisis import respond_to_crisis
from backend.LangGraph.state import CounselState
from backend.resources import Resources


def _state(kind: str | None, **more: object) -> CounselState:
    return {"question": "맞아요", "risk": {"level": "crisis", "kind": kind, "about": "self"}, **more}  # type: ignore[typeddict-item]


def test_the_reply_is_fixed_and_said_in_the_thread(resources: Resources, runtime: Runtime[Context]) -> None:
    update = respond_to_crisis(_state("abuse"), runtime, replies=resources.replies)
    assert update["route"] == "crisis"
    assert "112" in update["answer"]
    assert [message.text for message in update["messages"]] == ["맞아요", update["answer"]]


def test_an_unknown_kind_still_shows_helplines(resources: Resources, runtime: Runtime[Context]) -> None:
    assert "109" in respond_to_crisis(_state(None), runtime, replies=resources.replies)["answer"]


def test_nobody_gets_the_same_text_twice(resources: Resources, runtime: Runtime[Context]) -> None:
    first = respond_to_crisis(_state("suicide"), runtime, replies=resources.replies)["answer"]
    second = respond_to_crisis(_state("suicide", route="crisis"), runtime, replies=resources.replies)["answer"]
    assert first != second
