"""The flow, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import get_runtime
from langgraph.types import Command

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.answer_from_documents import answer_from_documents, answer_from_documents_async
from backend.LangGraph.nodes.answer_from_finetuned import answer_from_finetuned, answer_from_finetuned_async
from backend.LangGraph.nodes.classify_rag_finetune import classify_rag_finetune
from backend.LangGraph.nodes.decline_off_topic import decline_off_topic
from backend.LangGraph.nodes.merge_answers import merge_answers
from backend.LangGraph.nodes.resolve_follow_up import resolve_follow_up
from backend.LangGraph.nodes.respond_to_crisis import respond_to_crisis
from backend.LangGraph.nodes.retrieve_documents import retrieve_documents
from backend.LangGraph.nodes.screen_answer import screen_answer
from backend.LangGraph.nodes.screen_risk import screen_risk
from backend.LangGraph.routing import after_classification, after_screen
from backend.LangGraph.state import CounselState, Degraded, InputState, Risk, fresh_turn
from backend.models.risk import open_frame
from backend.resources import Resources

Flow = StateGraph[CounselState, Context, InputState, CounselState]


def build_graph(resources: Resources) -> Flow:
    """The counselling flow over these parts; ``compile()`` it with the checkpointer you want, or with none."""
    node = _binder(resources)
    # LangGraph hands a handler (state, error); its published types know only (state).
    care_first, ask_both, give_up = cast(tuple[Any, Any, Any], (_care_first, _ask_both, _give_up))
    flow = StateGraph(CounselState, context_schema=Context, input_schema=InputState)

    flow.add_node("screen_risk", node(screen_risk, "risk", "replies", "embedder"), error_handler=care_first)
    flow.add_node("respond_to_crisis", node(respond_to_crisis, "replies"))
    flow.add_node("resolve_follow_up", node(resolve_follow_up, "names", "embedder"), error_handler=give_up)
    flow.add_node("classify_rag_finetune", node(classify_rag_finetune, "router"), error_handler=ask_both)
    flow.add_node("decline_off_topic", node(decline_off_topic, "replies"))
    flow.add_node("retrieve_documents", node(retrieve_documents, "retriever"), error_handler=give_up)
    flow.add_node(
        "answer_from_documents",
        node(answer_from_documents, "facts_writer", "names", asynchronous=answer_from_documents_async),
        error_handler=give_up,
    )
    flow.add_node(
        "answer_from_finetuned",
        node(answer_from_finetuned, "counsellor", "vetted", "answer_screen", asynchronous=answer_from_finetuned_async),
        error_handler=give_up,
    )
    flow.add_node("merge_answers", node(merge_answers, "replies"), defer=True)  # waits for both branches, runs once
    flow.add_node("screen_answer", node(screen_answer, "answer_screen"))

    flow.add_edge(START, "screen_risk")
    flow.add_conditional_edges("screen_risk", after_screen, ["respond_to_crisis", "resolve_follow_up"])
    flow.add_edge("respond_to_crisis", END)
    flow.add_edge("resolve_follow_up", "classify_rag_finetune")
    flow.add_conditional_edges(
        "classify_rag_finetune",
        after_classification,
        ["retrieve_documents", "answer_from_finetuned", "decline_off_topic"],
    )
    flow.add_edge("decline_off_topic", END)
    flow.add_edge("retrieve_documents", "answer_from_documents")
    flow.add_edge("answer_from_documents", "merge_answers")
    flow.add_edge("answer_from_finetuned", "merge_answers")
    flow.add_edge("merge_answers", "screen_answer")
    flow.add_edge("screen_answer", END)
    return flow


def make_graph() -> CompiledStateGraph[CounselState, Context, InputState, CounselState]:
    """The compiled graph over the environment's settings, for LangGraph Studio, which brings its own checkpointer."""
    return build_graph(Resources()).compile(name="Jindam")


def _binder(resources: Resources) -> Callable[..., Runnable[CounselState, Any]]:
    """Binds nodes to their parts by keyword. A part is opened when its node first runs."""

    def node(
        function: Callable[..., dict[str, Any]],
        *parts: str,
        asynchronous: Callable[..., Awaitable[dict[str, Any]]] | None = None,
    ) -> Runnable[CounselState, Any]:
        def opened() -> dict[str, Any]:
            return {part: getattr(resources, part) for part in parts}

        def run(state: CounselState) -> dict[str, Any]:
            return function(state, get_runtime(Context), **opened())

        if asynchronous is None:
            return RunnableLambda(run, name=function.__name__)

        async def arun(state: CounselState) -> dict[str, Any]:
            return await asynchronous(state, get_runtime(Context), **opened())

        return RunnableLambda(run, arun, name=function.__name__)

    return node


def _care_first(state: CounselState, error: NodeError) -> Command[str]:
    """A screen that failed must not pass anyone by: show the helplines, and read the next turns in that light."""
    return Command(
        goto="respond_to_crisis",
        update={
            **fresh_turn(),
            "risk": Risk(level="crisis", kind=None, about="self"),
            "frame": open_frame(None),
            "degraded": [_degraded(error)],
        },
    )


def _ask_both(state: CounselState, error: NodeError) -> Command[str]:
    """Without a classification nothing is known about the message, and unsure means both."""
    return Command(goto=["retrieve_documents", "answer_from_finetuned"], update={"route": "both", "degraded": [_degraded(error)]})


def _give_up(state: CounselState, error: NodeError) -> Command[str]:
    """The other branch answers, if there is one; the result says what failed."""
    return Command(goto="merge_answers", update={"degraded": [_degraded(error)]})


def _degraded(error: NodeError) -> Degraded:
    return Degraded(part=error.node, reason=str(error.error) or type(error.error).__name__)
