from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.screen_risk import screen_risk
from backend.resources import Resources


def test_it_finds_danger_and_clears_the_last_turn(resources: Resources, runtime: Runtime[Context]) -> None:
    update = screen_risk({"question": "죽고 싶어요"}, runtime, risk=resources.risk)
    assert update["risk"] == {"level": "crisis", "kind": "suicide"}
    assert update["answers"] == Overwrite({})
    assert update["degraded"] == Overwrite([])
    assert update["answer"] == ""


def test_an_ordinary_question_passes(resources: Resources, runtime: Runtime[Context]) -> None:
    assert screen_risk({"question": "심리학과는요?"}, runtime, risk=resources.risk)["risk"]["level"] == "none"
