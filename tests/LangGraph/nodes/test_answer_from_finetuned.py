from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.runtime import RunControl, Runtime

from backend.errors import JindamError
from backend.LangGraph.context import Context
from backend.LangGraph.nodes.answer_from_finetuned import answer_from_finetuned, answer_from_finetuned_async
from backend.LangGraph.prompts import COUNSEL
from backend.LangGraph.state import CounselState
from backend.models.gemma import Counsellor
from backend.resources import Resources

Scripted = Callable[..., Counsellor]
GOOD = "많이 지쳤겠어요. 오늘은 한 가지만 적어 볼까요?"


def test_it_answers_and_streams_the_same_sentences(resources: Resources, scripted: Scripted) -> None:
    written: list[dict[str, Any]] = []
    runtime = Runtime(context=Context(profile="고2, 문과"), stream_writer=written.append)
    counsellor = scripted(GOOD)
    screen = resources.answer_screen
    update = answer_from_finetuned({"question": "힘들어요"}, runtime, counsellor=counsellor, vetted=None, answer_screen=screen)
    answer = update["answers"]["finetune"]
    assert answer["text"] == GOOD
    assert answer["origin"] == "generated"
    assert answer["model"] == "scripted"
    assert " ".join(event["text"] for event in written) == GOOD
    assert "degraded" not in update
    system, asked = counsellor.chat.asked[0]  # type: ignore[attr-defined]
    assert system.text == COUNSEL.text
    assert asked.text == "(고2, 문과) 힘들어요"


def test_both_faces_agree(resources: Resources, scripted: Scripted, runtime: Runtime[Context]) -> None:
    state = {"question": "힘들어요"}
    sync = answer_from_finetuned(state, runtime, counsellor=scripted(GOOD), vetted=None, answer_screen=resources.answer_screen)  # type: ignore[arg-type]
    asynchronous = asyncio.run(
        answer_from_finetuned_async(state, runtime, counsellor=scripted(GOOD), vetted=None, answer_screen=resources.answer_screen)  # type: ignore[arg-type]
    )
    for update in (sync, asynchronous):
        del update["answers"]["finetune"]["seconds"]
    assert sync == asynchronous


def test_the_untuned_base_says_so(resources: Resources, scripted: Scripted, runtime: Runtime[Context]) -> None:
    untuned = Counsellor(chat=scripted(GOOD).chat, model="base", untuned=True)
    update = answer_from_finetuned(
        {"question": "힘들어요"}, runtime, counsellor=untuned, vetted=None, answer_screen=resources.answer_screen
    )
    assert update["degraded"][0]["part"] == "answer_from_finetuned"


def test_foreign_repeated_and_unsafe_sentences_are_left_out(
    resources: Resources, scripted: Scripted, runtime: Runtime[Context]
) -> None:
    draft = "괜찮아요. 괜찮아요. 購入する。 힘들면 1234번으로 전화하세요. 내일 이야기해요. 그리고 나는 어제부"
    update = answer_from_finetuned(
        {"question": "q"}, runtime, counsellor=scripted(draft), vetted=None, answer_screen=resources.answer_screen
    )
    assert update["answers"]["finetune"]["text"] == "괜찮아요. 내일 이야기해요."


def test_earlier_turns_are_remembered_within_bounds(resources: Resources, scripted: Scripted, runtime: Runtime[Context]) -> None:
    turns = [HumanMessage("아주 옛날"), AIMessage("가" * 1300), HumanMessage("어제"), AIMessage("그랬군요.")]
    counsellor = scripted(GOOD)
    state: CounselState = {"question": "오늘", "messages": turns}
    answer_from_finetuned(state, runtime, counsellor=counsellor, vetted=None, answer_screen=resources.answer_screen)
    assert [message.text for message in counsellor.chat.asked[0][1:]] == ["어제", "그랬군요.", "오늘"]  # type: ignore[attr-defined]


def test_no_presentable_sentence_is_a_failure(resources: Resources, scripted: Scripted, runtime: Runtime[Context]) -> None:
    with pytest.raises(JindamError, match="보여 드릴 만한"):
        answer_from_finetuned(
            {"question": "q"}, runtime, counsellor=scripted("購入 …"), vetted=None, answer_screen=resources.answer_screen
        )


def test_a_model_that_breaks_off_is_a_failure(resources: Resources, scripted: Scripted, runtime: Runtime[Context]) -> None:
    counsellor = scripted(GOOD, error_on_chunk_number=3)
    with pytest.raises(Exception, match=r".*"):
        answer_from_finetuned(
            {"question": "q"}, runtime, counsellor=counsellor, vetted=None, answer_screen=resources.answer_screen
        )


def test_a_stop_keeps_what_was_said(resources: Resources, scripted: Scripted) -> None:
    control = RunControl()

    def write(event: dict[str, Any]) -> None:
        control.request_drain("user")

    runtime = Runtime(context=Context(), stream_writer=write, control=control)
    update = answer_from_finetuned(
        {"question": "q"}, runtime, counsellor=scripted(GOOD), vetted=None, answer_screen=resources.answer_screen
    )
    assert update["answers"]["finetune"]["text"] == "많이 지쳤겠어요."
