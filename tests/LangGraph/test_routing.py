from __future__ import annotations

import pytest

from backend.LangGraph.routing import after_classification, after_screen


@pytest.mark.parametrize(
    ("level", "node"),
    [("none", "resolve_follow_up"), ("concern", "resolve_follow_up"), ("crisis", "respond_to_crisis")],
)
def test_after_screen(level: str, node: str) -> None:
    assert after_screen({"question": "q", "risk": {"level": level, "kind": None, "about": "self"}}) == node  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("route", "nodes"),
    [
        ("rag", ["retrieve_documents"]),
        ("finetune", ["answer_from_finetuned"]),
        ("both", ["retrieve_documents", "answer_from_finetuned"]),
        ("off_topic", ["decline_off_topic"]),
    ],
)
def test_after_classification(route: str, nodes: list[str]) -> None:
    assert after_classification({"question": "q", "route": route}) == nodes  # type: ignore[typeddict-item]
