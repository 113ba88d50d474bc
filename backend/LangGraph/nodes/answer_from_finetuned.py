"""The counselling branch's answer: what the model writes, or, where the model is small, a vetted reply that fits."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.constants import TAG_NOSTREAM
from langgraph.runtime import Runtime

from backend.errors import JindamError
from backend.korean import finished_sentences, is_korean
from backend.LangGraph.context import Context, options
from backend.LangGraph.prompts import BASE_MODEL_NOTICE, COUNSEL
from backend.LangGraph.state import BranchAnswer, CounselState, Degraded
from backend.models.gemma import Counsellor
from backend.models.unsafe_answers import AnswerScreen
from backend.models.vetted_replies import VettedReplies, VettedReply
from backend.plain_text import without_markup

_REMEMBERED_CHARACTERS = 1200
"""How much of the earlier conversation the model reads; its context also has to hold the answer."""

# Raw tokens are not streamed: a sentence is checked before a person reads it.
_QUIET: RunnableConfig = {"tags": [TAG_NOSTREAM]}


def answer_from_finetuned(
    state: CounselState,
    runtime: Runtime[Context],
    *,
    counsellor: Counsellor,
    vetted: VettedReplies | None,
    answer_screen: AnswerScreen,
) -> dict[str, Any]:
    """Let the counsellor model answer, and stream each sentence once it is checked; ``vetted`` replies that fit come first."""
    start = time.perf_counter()
    draft = _Draft(runtime, answer_screen)
    if reply := _vetted_reply(state, vetted):
        return _given(draft, reply, counsellor, start)
    chunks = cast(Generator[AIMessageChunk, None, None], counsellor.chat.stream(_prompt(state, runtime), _QUIET))
    with closing(chunks):  # closing it frees the engine
        for chunk in chunks:
            draft.add(chunk.text)
            if runtime.drain_requested:
                break
    return _written(draft, counsellor, start)


async def answer_from_finetuned_async(
    state: CounselState,
    runtime: Runtime[Context],
    *,
    counsellor: Counsellor,
    vetted: VettedReplies | None,
    answer_screen: AnswerScreen,
) -> dict[str, Any]:
    """The same, for event loops."""
    start = time.perf_counter()
    draft = _Draft(runtime, answer_screen)
    if reply := _vetted_reply(state, vetted):
        return _given(draft, reply, counsellor, start)
    chunks = cast(AsyncGenerator[AIMessageChunk, None], counsellor.chat.astream(_prompt(state, runtime), _QUIET))
    async with aclosing(chunks):
        async for chunk in chunks:
            draft.add(chunk.text)
            if runtime.drain_requested:
                break
    return _written(draft, counsellor, start)


class _Draft:
    """What the model has written so far: whole sentences that may be shown, and the one it is writing."""

    def __init__(self, runtime: Runtime[Context], answer_screen: AnswerScreen) -> None:
        self.shown: list[str] = []
        self._screen = answer_screen
        self._write = runtime.stream_writer
        self._unfinished = ""

    def add(self, text: str) -> None:
        """Take more text; show the sentences that it completes."""
        finished, self._unfinished = finished_sentences(self._unfinished + text)
        for sentence in finished:
            self._show(sentence)

    def finish(self) -> str:
        """The text to answer with. A last sentence that the token limit cut off is left out."""
        if self._unfinished.rstrip().endswith((".", "!", "?", "…", "~", "요", "다")):
            self._show(self._unfinished.strip())
        self._unfinished = ""
        return " ".join(self.shown)

    def _show(self, sentence: str) -> None:
        sentence = without_markup(sentence).strip()
        # A small model at times falls into another language or into repeating itself; neither helps anyone.
        if not is_korean(sentence) or sentence in self.shown or self._screen.unsafe(sentence):
            return
        self._write({"type": "sentence", "branch": "finetune", "text": sentence})
        self.shown.append(sentence)


def _prompt(state: CounselState, runtime: Runtime[Context]) -> list[BaseMessage]:
    profile = options(runtime).profile
    question = f"({profile}) {state['question']}" if profile else state["question"]
    return [SystemMessage(COUNSEL.text), *_recent(state.get("messages", [])), HumanMessage(question)]


def _recent(messages: list[AnyMessage]) -> list[BaseMessage]:
    """The latest whole exchanges that fit."""
    kept: list[BaseMessage] = []
    room = _REMEMBERED_CHARACTERS
    for asked, answered in reversed(list(zip(messages[::2], messages[1::2], strict=False))):
        room -= len(asked.text) + len(answered.text)
        if room < 0:
            break
        kept[:0] = [HumanMessage(asked.text), AIMessage(answered.text)]
    return kept


def _vetted_reply(state: CounselState, vetted: VettedReplies | None) -> VettedReply | None:
    if vetted is None:
        return None
    said = [message.text for message in state.get("messages", []) if isinstance(message, AIMessage)]
    return vetted.fitting(state["standalone_question"], state["query_vector"], said)


def _given(draft: _Draft, reply: VettedReply, counsellor: Counsellor, start: float) -> dict[str, Any]:
    draft.add(f"{reply.text}\n")
    answer = _branch_answer(draft.finish(), counsellor, start)
    return {"answers": {"finetune": answer | {"origin": "vetted", "dialogue": reply.dialogue}}}


def _written(draft: _Draft, counsellor: Counsellor, start: float) -> dict[str, Any]:
    text = draft.finish()
    if not text:
        raise JindamError(
            "상담 모델이 보여 드릴 만한 답을 만들지 못했습니다.",
            why="만든 글에 온전하고 안전한 한국어 문장이 없었습니다.",
            fix="다시 물어보거나, 학습한 어댑터나 더 큰 모델을 설정해 주세요(JINDAM_CHAT_ADAPTER, JINDAM_CHAT_MODEL).",
        )
    update: dict[str, Any] = {"answers": {"finetune": _branch_answer(text, counsellor, start)}}
    if counsellor.untuned:
        update["degraded"] = [Degraded(part="answer_from_finetuned", reason=BASE_MODEL_NOTICE)]
    return update


def _branch_answer(text: str, counsellor: Counsellor, start: float) -> BranchAnswer:
    return BranchAnswer(
        text=text,
        seconds=time.perf_counter() - start,
        model=counsellor.model,
        adapter=counsellor.adapter,
        origin="generated",
        dialogue=None,
    )
