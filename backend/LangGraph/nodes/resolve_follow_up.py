"""Understanding "그럼 취업은?" from what was said before."""

from __future__ import annotations

import re
from typing import Any

from langgraph.runtime import Runtime

from backend.embedding.embedder import NamedEmbeddings
from backend.embedding.names import MajorNames
from backend.korean import cleaned
from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState

_POINTS_BACK = re.compile(
    r"^(?:음+|아+|네|넵|예|오)?[\s,.!~…]*(?:그럼|그러면|그렇다면|근데|그런데|그리고|거기|그\s*(?:학?과|전공|쪽|중)|그건|그거|이\s*(?:학과|과|전공)|둘\s*중|두\s*(?:학과|과)|또|더)"
)
_BARE_ASPECT = re.compile(r"^[가-힣\s]{1,12}(?:은|는|도)(?:요)?\s*[?？]*$")
_LONGEST_FOLLOW_UP = 40


def resolve_follow_up(
    state: CounselState, runtime: Runtime[Context], *, names: MajorNames, embedder: NamedEmbeddings
) -> dict[str, Any]:
    """Write the question so that it stands alone, and its query vector for everything that follows."""
    question = cleaned(state["question"])
    topic = state.get("topic") or []
    if topic and refers_back(question) and not names.find(question):
        question = f"{', '.join(topic[:2])}: {question}"
    return {"standalone_question": question, "query_vector": embedder.embed_query(question)}


def refers_back(question: str) -> bool:
    """Whether the question leaves out what it is about."""
    return len(question) <= _LONGEST_FOLLOW_UP and bool(_POINTS_BACK.match(question) or _BARE_ASPECT.match(question))
