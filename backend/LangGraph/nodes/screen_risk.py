"""The first node: masking what identifies the person, and looking whether the person is in danger."""

from __future__ import annotations

import logging
from typing import Any

from langgraph.runtime import Runtime

from backend.deadline import within
from backend.embedding.embedder import NamedEmbeddings
from backend.korean import cleaned
from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState, Risk, fresh_turn
from backend.models.risk import RiskFound, RiskScreen, in_frame
from backend.models.risk_replies import Replies
from backend.privacy import mask

_log = logging.getLogger(__name__)

_DEADLINE_S = 20.0
"""Seconds for the query vector. Many chats at once queue for the one embedder; past this the screen fails, towards care."""


def screen_risk(
    state: CounselState, runtime: Runtime[Context], *, risk: RiskScreen, replies: Replies, embedder: NamedEmbeddings
) -> dict[str, Any]:
    """Clear what the last turn left, and screen the message before any other node reads it.

    The message's query vector is computed here, once, for the router and the retriever too; a rule that sees a crisis does not
    wait for it.
    """
    question = mask(cleaned(state["question"])).text
    update = {**fresh_turn(), "question": question}
    found = risk.by_rules(question)
    if found.level != "crisis":
        vector = within(_DEADLINE_S, embedder.embed_query, question)
        update["query_vector"] = vector
        found = risk.assess(question, vector)
    found, frame = in_frame(question, found, state.get("frame"))
    _record(found)
    if found.level == "concern":  # whoever reads the stream reads this before any branch has answered
        runtime.stream_writer({"type": "sentence", "branch": "care", "text": replies.check_in(found.kind, found.about)})
    return {**update, "risk": Risk(level=found.level, kind=found.kind, about=found.about), "frame": frame}


def _record(found: RiskFound) -> None:
    """Level and rule only: what a person wrote is in no log."""
    if found.level != "none":
        _log.info("risk level=%s rule=%s", found.level, found.rule)
