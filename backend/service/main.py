"""Calling the counsellor: ``ask()``, ``aask()``, ``stream()``, ``compare()``.

    >>> from backend.service.main import ask
    >>> ask("컴퓨터공학과에서는 무엇을 배우나요?")["answer"]

The functions share one set of opened parts. A program that wants its own settings, checkpointer or parts makes a
:class:`Jindam`. The command line is :mod:`backend.service.cli`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl
from pydantic import ValidationError
from typing_extensions import TypedDict

from backend.errors import JindamError
from backend.korean import cleaned
from backend.LangGraph.context import Context
from backend.LangGraph.graph import build_graph
from backend.LangGraph.state import Branch, BranchAnswer, CounselState, Degraded, InputState, Risk, Route, Scores, Source
from backend.privacy import mask
from backend.resources import Resources

Mode = Literal["auto", "rag", "finetune", "both"]
Compiled = CompiledStateGraph[CounselState, Context, InputState, CounselState]

LONGEST_QUESTION = 2000
"""Characters of one message; longer ones are refused before any model reads them."""


class Answer(TypedDict):
    """One turn's result."""

    question: str
    route: Route
    confidence: float | None
    """Probability of the route's class; None for a crisis, which no probability decides."""
    scores: Scores | None
    reason: str
    risk: Risk
    answer: str
    answers: dict[Branch, BranchAnswer]
    """The branches that answered."""
    sources: list[Source]
    degraded: list[Degraded]
    thread_id: str | None
    seconds: float


class Event(TypedDict, total=False):
    """Something that happened while a turn was answered.

    ``route``: the classifier has decided (``route``, ``confidence``, ``scores``). ``text``: more of the answer; the texts joined
    are the answer. ``branch_text``: a sentence of one branch (``branch``), in ``compare`` only. ``replace``: forget the text so
    far, this is the answer. ``final``: the whole result. ``stopped``: the caller's stop was obeyed.
    """

    type: Literal["route", "text", "branch_text", "replace", "final", "stopped"]
    text: str
    branch: Branch
    route: Route
    confidence: float | None
    scores: Scores | None
    answer: Answer


class Jindam:
    """The compiled graph over one set of parts.

    ``checkpointer`` keeps threads; by default they live in memory, as long as this object. A turn without ``thread_id`` is
    remembered nowhere.
    """

    def __init__(self, resources: Resources | None = None, *, checkpointer: BaseCheckpointSaver[Any] | None = None) -> None:
        """Nothing is opened before the first question."""
        self.resources = resources or Resources()
        self._checkpointer = checkpointer

    @cached_property
    def _unthreaded(self) -> Compiled:
        return build_graph(self.resources).compile(name="Jindam")

    @cached_property
    def _threaded(self) -> Compiled:
        return build_graph(self.resources).compile(checkpointer=self._checkpointer or InMemorySaver(), name="Jindam")

    def ask(
        self, question: str, *, mode: Mode = "auto", profile: str | None = None, k: int = 5, thread_id: str | None = None
    ) -> Answer:
        """Answer one message.

        ``mode`` forces the branches; ``profile`` tells the counsellor who asks (고2, 문과); ``k`` is how many majors are looked
        up; ``thread_id`` continues a conversation.

        Raises:
            JindamError: the message is empty or too long, or the index cannot be used.

        """
        turn = self._turn(question, mode, profile, k, thread_id)
        state = turn.graph.invoke(turn.input, turn.config, context=turn.context)
        return turn.result(cast(CounselState, state))

    async def aask(
        self, question: str, *, mode: Mode = "auto", profile: str | None = None, k: int = 5, thread_id: str | None = None
    ) -> Answer:
        """:meth:`ask` for event loops; many at once are bounded by the chat engine's slots.

        Threads need a checkpointer with an async face (memory has one, ``AsyncSqliteSaver`` is one).
        """
        turn = await asyncio.to_thread(self._turn, question, mode, profile, k, thread_id)
        state = await turn.graph.ainvoke(turn.input, turn.config, context=turn.context)
        return turn.result(cast(CounselState, state))

    def compare(self, question: str, *, profile: str | None = None, k: int = 5) -> Answer:
        """Both branches' answers to one message, side by side in ``answers``."""
        return self.ask(question, mode="both", profile=profile, k=k)

    def stream(
        self,
        question: str,
        *,
        mode: Mode = "auto",
        profile: str | None = None,
        k: int = 5,
        thread_id: str | None = None,
        control: RunControl | None = None,
    ) -> Iterator[Event]:
        """Answer one message as it comes: each sentence once it is checked, then the whole result.

        ``control.request_drain()``, from any thread, stops the answer: the model stops writing, the last event is ``stopped``.

        Raises:
            JindamError: as for :meth:`ask`.

        """
        turn = self._turn(question, mode, profile, k, thread_id)
        state: dict[str, Any] = {}
        said = ""
        speaking = None
        try:
            for part in turn.graph.stream(
                turn.input,
                turn.config,
                context=turn.context,
                stream_mode=["custom", "updates", "values"],
                control=control,
                version="v2",
            ):
                data: Any = part["data"]
                match part["type"]:
                    case "custom":
                        separator = "" if not said else " " if data["branch"] == speaking else "\n\n"
                        speaking = data["branch"]
                        said += separator + data["text"]
                        yield Event(type="text", text=separator + data["text"])
                    case "updates" if "classify_rag_finetune" in data:
                        decided = data["classify_rag_finetune"]
                        yield Event(
                            type="route",
                            route=decided["route"],
                            confidence=decided["confidence"],
                            scores=decided["scores"],
                        )
                    case "values":
                        state = data
        except GraphDrained:
            yield Event(type="stopped")
            return
        result = turn.result(cast(CounselState, state))
        if not result["answer"].startswith(said):
            yield Event(type="replace", text=result["answer"])
        elif rest := result["answer"][len(said) :]:
            yield Event(type="text", text=rest)
        yield Event(type="final", answer=result)

    def history(self, thread_id: str) -> list[tuple[Literal["user", "assistant"], str]]:
        """What was said in a thread, oldest first."""
        values = self._threaded.get_state(_config(thread_id)).values
        return [("user" if message.type == "human" else "assistant", message.text) for message in values.get("messages", [])]

    def _turn(self, question: str, mode: Mode, profile: str | None, k: int, thread_id: str | None) -> _Turn:
        try:
            context = Context(mode=mode, profile=profile and mask(profile).text, k=k)
        except ValidationError as error:
            first = error.errors()[0]
            raise JindamError(
                f"옵션 {first['loc'][0]}의 값을 쓸 수 없습니다: {first['input']!r}", why=first["msg"], fix="값을 고쳐 주세요."
            ) from error
        _ = self.resources.retriever  # a missing index is built, and an unusable one told, before the turn begins
        graph = self._threaded if thread_id else self._unthreaded
        return _Turn(graph, _checked(question), context, thread_id)


class _Turn:
    """One message on its way through the graph."""

    def __init__(self, graph: Compiled, question: str, context: Context, thread_id: str | None) -> None:
        self.graph = graph
        self.question = question
        self.context = context
        self.thread_id = thread_id
        self.input: InputState = {"question": question}
        self.config = _config(thread_id)
        self._start = time.perf_counter()

    def result(self, state: CounselState) -> Answer:
        return Answer(
            question=self.question,
            route=state["route"],
            confidence=state["confidence"],
            scores=state["scores"],
            reason=state["reason"],
            risk=state["risk"],
            answer=state["answer"],
            answers=state["answers"],
            sources=state["sources"],
            degraded=state["degraded"],
            thread_id=self.thread_id,
            seconds=round(time.perf_counter() - self._start, 3),
        )


def _config(thread_id: str | None) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id}} if thread_id else {}


def _checked(question: str) -> str:
    text = cleaned(question)
    if not text:
        raise JindamError(
            "질문이 비어 있습니다.", why="읽을 수 있는 글자가 없습니다.", fix="궁금한 것이나 고민을 한 문장이라도 적어 주세요."
        )
    if len(text) > LONGEST_QUESTION:
        raise JindamError(
            "글이 너무 깁니다.",
            why=f"한 번에 {LONGEST_QUESTION:,}자까지 읽을 수 있는데 {len(text):,}자입니다.",
            fix="가장 중요한 부분만 남기거나 나누어 보내 주세요.",
        )
    return mask(text).text  # before the graph: a checkpointer keeps the input as it was given


@lru_cache(maxsize=1)
def default() -> Jindam:
    """The process's shared :class:`Jindam`, over the environment's settings."""
    return Jindam()


def ask(question: str, *, mode: Mode = "auto", profile: str | None = None, k: int = 5, thread_id: str | None = None) -> Answer:
    """:meth:`Jindam.ask` on the shared instance."""
    return default().ask(question, mode=mode, profile=profile, k=k, thread_id=thread_id)


async def aask(
    question: str, *, mode: Mode = "auto", profile: str | None = None, k: int = 5, thread_id: str | None = None
) -> Answer:
    """:meth:`Jindam.aask` on the shared instance."""
    return await default().aask(question, mode=mode, profile=profile, k=k, thread_id=thread_id)


def stream(
    question: str,
    *,
    mode: Mode = "auto",
    profile: str | None = None,
    k: int = 5,
    thread_id: str | None = None,
    control: RunControl | None = None,
) -> Iterator[Event]:
    """:meth:`Jindam.stream` on the shared instance."""
    return default().stream(question, mode=mode, profile=profile, k=k, thread_id=thread_id, control=control)


def compare(question: str, *, profile: str | None = None, k: int = 5) -> Answer:
    """:meth:`Jindam.compare` on the shared instance."""
    return default().compare(question, profile=profile, k=k)
