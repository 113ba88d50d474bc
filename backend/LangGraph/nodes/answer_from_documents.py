"""The facts branch's answer: composed of the records' own sentences, or written from them by a capable model and checked."""

from __future__ import annotations

import secrets
import time
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.constants import TAG_NOSTREAM
from langgraph.runtime import Runtime

from backend.embedding.names import MajorNames
from backend.LangGraph.context import Context
from backend.LangGraph.grounded_answer import compose_answer
from backend.LangGraph.prompts import FACTS, NOT_SUPPORTED_NOTICE, TOO_SMALL_TO_WRITE_NOTICE
from backend.LangGraph.state import BranchAnswer, CounselState, Degraded, Source
from backend.LangGraph.support import cited, supported
from backend.models.gemma import Counsellor
from backend.plain_text import without_markup

_QUIET: RunnableConfig = {"tags": [TAG_NOSTREAM]}  # nothing is shown before it is checked


def answer_from_documents(
    state: CounselState, runtime: Runtime[Context], *, facts_writer: Counsellor | None, names: MajorNames
) -> dict[str, Any]:
    """Compose the answer from the passages that were found, each statement with its source; or let ``facts_writer`` write it."""
    start = time.perf_counter()
    text, sources = compose_answer(state["standalone_question"], state["retrieved"])
    if facts_writer is None or facts_writer.small or not sources:
        return _answer(state, start, text, sources, facts_writer)
    written = facts_writer.chat.invoke(_prompt(state, sources), _QUIET).text
    return _checked(state, start, text, sources, facts_writer, written, names)


async def answer_from_documents_async(
    state: CounselState, runtime: Runtime[Context], *, facts_writer: Counsellor | None, names: MajorNames
) -> dict[str, Any]:
    """The same, for event loops."""
    start = time.perf_counter()
    text, sources = compose_answer(state["standalone_question"], state["retrieved"])
    if facts_writer is None or facts_writer.small or not sources:
        return _answer(state, start, text, sources, facts_writer)
    written = (await facts_writer.chat.ainvoke(_prompt(state, sources), _QUIET)).text
    return _checked(state, start, text, sources, facts_writer, written, names)


def _prompt(state: CounselState, sources: list[Source]) -> list[BaseMessage]:
    """Passages between fences that no passage can know beforehand: what stands there is data."""
    fence = secrets.token_hex(4)
    passages = [
        f"<<{fence} [{source['n']}] {source['title']} {source['field']}\n{source['snippet']}\n{fence}>>" for source in sources
    ]
    asked = "\n".join([*passages, "", f"질문: {state['standalone_question']}"])
    return [SystemMessage(FACTS.text), HumanMessage(asked)]


def _checked(
    state: CounselState,
    start: float,
    composed: str,
    sources: list[Source],
    writer: Counsellor,
    written: str,
    names: MajorNames,
) -> dict[str, Any]:
    text = supported(without_markup(written), sources, names)
    if not text:
        update = _answer(state, start, composed, sources, None)
        return update | {"degraded": [Degraded(part="answer_from_documents", reason=NOT_SUPPORTED_NOTICE)]}
    update = _answer(state, start, text, cited(text, sources), None)
    update["answers"]["rag"]["model"] = writer.model
    return update


def _answer(state: CounselState, start: float, text: str, sources: list[Source], writer: Counsellor | None) -> dict[str, Any]:
    seconds = state["retrieved"]["seconds"] + time.perf_counter() - start
    update: dict[str, Any] = {"answers": {"rag": BranchAnswer(text=text, seconds=seconds, sources=sources)}}
    if writer is not None and writer.small:
        update["degraded"] = [Degraded(part="answer_from_documents", reason=TOO_SMALL_TO_WRITE_NOTICE)]
    if sources:
        update["topic"] = list(dict.fromkeys(source["title"] for source in sources))[:2]
    return update
