from __future__ import annotations

import pytest
from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.classify_rag_finetune import classify_rag_finetune
from backend.LangGraph.state import CounselState
from backend.resources import Resources


def _state(resources: Resources, question: str) -> CounselState:
    return {
        "question": question,
        "standalone_question": question,
        "query_vector": resources.embedder.embed_query(question),
    }


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("의예과 말고도 생명과학 계열에서 연구 중심인 학과 추천해 주세요", "rag"),
        ("내가 공부를 너무 못하는데 하고싶은 것도 없어 어떻게 해야할까?", "finetune"),
        ("간호학과 가고 싶은데 엄마가 반대해서 속상해요. 뭘 배우는지도 알려주세요", "both"),
        ("나를 웃겨봐", "off_topic"),
    ],
)
def test_routes(resources: Resources, runtime: Runtime[Context], question: str, route: str) -> None:
    update = classify_rag_finetune(_state(resources, question), runtime, router=resources.router)
    assert update["route"] == route
    assert 0 <= update["confidence"] <= 1
    assert set(update["scores"]) == {"facts", "counsel", "off_topic"}
    assert "%" in update["reason"]


def test_a_forced_mode_changes_the_route_and_not_the_judgement(resources: Resources, runtime: Runtime[Context]) -> None:
    state = _state(resources, "나를 웃겨봐")
    free = classify_rag_finetune(state, runtime, router=resources.router)
    forced = classify_rag_finetune(state, Runtime(context=Context(mode="rag")), router=resources.router)
    assert forced["route"] == "rag"
    assert forced["scores"] == free["scores"]


def test_no_context_is_the_default_context(resources: Resources) -> None:
    update = classify_rag_finetune(_state(resources, "나를 웃겨봐"), Runtime(context=None), router=resources.router)  # type: ignore[arg-type]
    assert update["route"] == "off_topic"
