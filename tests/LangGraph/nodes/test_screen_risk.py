from __future__ import annotations

import logging
from typing import Any

import pytest
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from backend.LangGraph.context import Context
from backend.LangGraph.nodes import screen_risk as module
from backend.LangGraph.nodes.screen_risk import screen_risk
from backend.models.risk import FRAME_TURNS, open_frame
from backend.resources import Resources


def _screen(resources: Resources, runtime: Runtime[Context], question: str, **state: Any) -> dict[str, Any]:
    return screen_risk(
        {"question": question, **state}, runtime, risk=resources.risk, replies=resources.replies, embedder=resources.embedder
    )  # type: ignore[typeddict-item]


def test_it_finds_danger_and_clears_the_last_turn(resources: Resources, runtime: Runtime[Context]) -> None:
    update = _screen(resources, runtime, "죽고 싶어요")
    assert update["risk"] == {"level": "crisis", "kind": "suicide", "about": "self"}
    assert update["frame"]["turns_left"] == FRAME_TURNS
    assert update["answers"] == Overwrite({})
    assert update["degraded"] == Overwrite([])
    assert update["answer"] == ""


def test_an_ordinary_question_passes_with_its_vector(resources: Resources, runtime: Runtime[Context]) -> None:
    update = _screen(resources, runtime, "  심리학과는요?\u200b ")
    assert update["risk"]["level"] == "none"
    assert update["question"] == "심리학과는요?"
    assert update["query_vector"] == resources.embedder.embed_query("심리학과는요?")


def test_what_identifies_is_masked_before_it_is_embedded(resources: Resources, runtime: Runtime[Context]) -> None:
    update = _screen(resources, runtime, "010-1234-5678로 간호학과 자료 보내 주세요")
    assert update["question"] == "[전화번호]로 간호학과 자료 보내 주세요"
    assert update["query_vector"] == resources.embedder.embed_query(update["question"])


def test_a_frame_is_read_and_kept(resources: Resources, runtime: Runtime[Context]) -> None:
    update = _screen(resources, runtime, "응", frame=open_frame("abuse"))
    assert (update["risk"]["level"], update["risk"]["kind"]) == ("crisis", "abuse")
    update = _screen(resources, runtime, "수학과는 뭘 배우나요?", frame=open_frame("abuse"))
    assert (update["risk"]["level"], update["frame"]["turns_left"]) == ("concern", FRAME_TURNS - 1)


def test_care_is_streamed_before_any_branch(resources: Resources) -> None:
    written: list[Any] = []
    _screen(resources, Runtime(context=Context(), stream_writer=written.append), "먹토를 끊을 수가 없어요")
    assert [event["branch"] for event in written] == ["care"]
    assert "1388" in written[0]["text"]


def test_level_and_rule_are_recorded_and_never_the_text(
    resources: Resources, runtime: Runtime[Context], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _screen(resources, runtime, "사라지고 싶다")
    assert "risk level=crisis rule=vanish" in caplog.text
    assert "사라지고" not in caplog.text


def test_an_embedder_that_hangs_is_not_waited_for(
    resources: Resources, runtime: Runtime[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    class Hanging:
        model_id = "hanging"

        def embed_query(self, text: str) -> list[float]:
            time.sleep(3)
            return []

    monkeypatch.setattr(module, "_DEADLINE_S", 0.05)
    with pytest.raises(TimeoutError):
        screen_risk({"question": "안녕하세요"}, runtime, risk=resources.risk, replies=resources.replies, embedder=Hanging())  # type: ignore[arg-type]
    # a rule that sees a crisis does not wait for the vector at all
    update = screen_risk({"question": "죽고 싶어요"}, runtime, risk=resources.risk, replies=resources.replies, embedder=Hanging())  # type: ignore[arg-type]
    assert update["risk"]["level"] == "crisis"
