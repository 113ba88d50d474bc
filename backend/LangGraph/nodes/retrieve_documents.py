"""Looking the facts up."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backend.embedding.retriever import Retriever
from backend.LangGraph.context import Context, options
from backend.LangGraph.state import CounselState


def retrieve_documents(state: CounselState, runtime: Runtime[Context], *, retriever: Retriever) -> dict[str, Any]:
    """Find what answers the question."""
    found = retriever.retrieve(state["standalone_question"], state["query_vector"], k=options(runtime).k)
    return {"retrieved": found}
