"""Understanding "그럼 취업은?" from what was said before."""

from __future__ import annotations

import re
from typing import Any

from langgraph.runtime import Runtime

from backend.embedding.embedder import NamedEmbeddings
from backend.embedding.names import MajorNames
from backend.LangGraph.context import Context
from backend.LangGraph.state import CounselState

_POINTS_BACK = re.compile(
    r"^(?:음+|아+|네|넵|예|오)?[\s,.!~…]*(?:그럼|그러면|그렇다면|근데|그런데|그리고|거기|그\s*(?:학?과|전공|쪽|중)|그건|그거|이\s*(?:학과|과|전공)|둘\s*중|두\s*(?:학과|과)|또|더)"
)
_BARE_ASPECT = re.compile(r"^[가-힣\s]{1,12}(?:은|는|도)(?:요)?\s*[?？]*$")
_LONGEST_FOLLOW_UP = 40
# What speaks to the machine and not to a counsellor. The crisis screen has read the whole message before.
_COMMAND = re.compile(
    r"(?:지시|명령|규칙|위의?\s*내용|앞의?\s*(?:말|내용)|제한|안전\s*(?:검사|규칙))[가-힣\s]{0,12}(?:무시|잊|따르지|해제|끈다|꺼|비활성|건너)|시스템\s*프롬프트|\[시스템\]|지금부터\s*너는|너는\s*(?:이제|지금)|(?:네|너의)\s*(?:답|대답|이름)"
    r"|(?:출처|인용)[가-힣\s]{0,8}(?:번호)?[^.\n]{0,12}(?:지워|빼|붙이지|바꿔|지어)|(?:검색|분류기)[가-힣\s]{0,4}(?:하지\s*말|건너)|(?:개발자|관리자)(?:가|는|\s*모드|입니다|\s*권한)[^.\n]{0,12}(?:허락|전환|해제)|(?:finetune|rag|off_topic|route|DAN)\b|명령으로\s*받아들|영어로만"
    r"|\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instructions?|above|rules)\b|\bsystem\s*(?:prompt|:)|\byou are (?:now|being)\b|\bdeveloper mode\b|\b(?:do not|never|delete|replace|reveal|print|disable|skip)\b.{0,40}\b(?:cite|sources?|citations?|helpline|prompt|key|retrieval|\[\d+\]|screen)|</?system>|###",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def resolve_follow_up(
    state: CounselState, runtime: Runtime[Context], *, names: MajorNames, embedder: NamedEmbeddings
) -> dict[str, Any]:
    """Write the question so that it stands alone; where that changes it, its query vector is another one."""
    question = without_commands(state["question"])
    topic = state.get("topic") or []
    if topic and refers_back(question) and not names.find(question):
        question = f"{', '.join(topic[:2])}: {question}"
    if question == state["question"]:
        return {"standalone_question": question}
    return {"standalone_question": question, "query_vector": embedder.embed_query(question)}


def without_commands(text: str) -> str:
    """``text`` without the sentences that tell the machine what to be or to hide; all of it where nothing else is said."""
    if not _COMMAND.search(text):
        return text
    return " ".join(sentence for sentence in _SENTENCE.split(text) if not _COMMAND.search(sentence)).strip() or text


def refers_back(question: str) -> bool:
    """Whether the question leaves out what it is about."""
    return len(question) <= _LONGEST_FOLLOW_UP and bool(_POINTS_BACK.match(question) or _BARE_ASPECT.match(question))
