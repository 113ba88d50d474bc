"""What flows through the graph. Nodes return partial dicts and never change the state they are given."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import UntrackedValue
from langgraph.graph.message import add_messages
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from backend.embedding.retrieved import Retrieved
from backend.models.risk import Frame

Route = Literal["rag", "finetune", "both", "off_topic", "crisis"]
Branch = Literal["rag", "finetune"]


class Risk(TypedDict):
    """What the crisis screen found."""

    level: Literal["none", "concern", "crisis"]
    kind: str | None
    """suicide, self_harm, abuse, violence, harm_to_others, eating, panic; None at ``concern``: an earlier turn is the reason."""
    about: Literal["self", "other"]
    """Whether the writer is in danger, or somebody whom the writer worries about."""


class Scores(TypedDict):
    """Probabilities, 0 to 1. They do not sum to one: a message can need facts and counsel."""

    facts: float
    counsel: float
    off_topic: float


class Source(TypedDict):
    """A passage that an answer rests on."""

    n: int
    """The number in brackets in the answer."""
    id: str
    title: str
    field: str
    snippet: str
    score: float
    origin: str
    """Whose text it is, as a reader is told."""


class BranchAnswer(TypedDict, total=False):
    """One branch's answer.

    rag has ``sources``, and ``model`` where one wrote it; finetune has ``model``, ``adapter``, ``origin`` and ``dialogue``.
    """

    text: str
    seconds: float
    sources: list[Source]
    model: str
    adapter: str | None
    origin: Literal["generated", "vetted"]
    """Written by the model for this message, or a checked reply of the training dialogues, word for word."""
    dialogue: str | None
    """The id of the dialogue that a vetted reply comes from."""


class Degraded(TypedDict):
    """Something that did not work as it should, told to whoever reads the result."""

    part: str
    reason: str


class InputState(TypedDict):
    """What a caller gives."""

    question: str


class CounselState(InputState, total=False):
    """One turn of a conversation, and what the thread keeps between turns (``messages``, ``topic``, ``frame``)."""

    messages: Annotated[list[AnyMessage], add_messages]
    topic: list[str]
    """The majors that the last answer spoke about, so that "그럼 취업은?" is understood."""

    frame: Frame | None
    """What an earlier crisis leaves behind: the turns after it are read in its light."""

    standalone_question: str
    query_vector: Annotated[list[float], UntrackedValue]
    """The question's embedding, computed once a turn and never stored."""
    risk: Risk
    route: Route
    confidence: float | None
    scores: Scores | None
    reason: str
    retrieved: Annotated[Retrieved, UntrackedValue]
    answers: Annotated[dict[Branch, BranchAnswer], operator.or_]
    degraded: Annotated[list[Degraded], operator.add]
    answer: str
    sources: list[Source]


def fresh_turn() -> dict[str, Any]:
    """The update that clears what an earlier turn of the thread left behind."""
    return {
        "answers": Overwrite({}),
        "degraded": Overwrite([]),
        "confidence": None,
        "scores": None,
        "reason": "",
        "answer": "",
        "sources": [],
    }


def said(question: str, answer: str) -> dict[str, Any]:
    """The update that ends a turn: the answer, and both sides' words for the thread."""
    return {"answer": answer, "messages": [HumanMessage(question), AIMessage(answer)]}
