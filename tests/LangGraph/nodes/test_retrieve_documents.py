from __future__ import annotations

from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.LangGraph.nodes.retrieve_documents import retrieve_documents
from backend.resources import Resources


def test_it_finds_as_many_majors_as_asked(resources: Resources) -> None:
    question = "동물을 좋아하고 생물을 잘하는데 무슨 과가 좋을까요"
    state = {
        "question": question,
        "standalone_question": question,
        "query_vector": resources.embedder.embed_query(question),
    }
    found = retrieve_documents(state, Runtime(context=Context(k=3)), retriever=resources.retriever)["retrieved"]  # type: ignore[arg-type]
    assert len({document["title"] for document in found["documents"]}) == 3
    assert found["seconds"] > 0
