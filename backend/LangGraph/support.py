"""Whether a written answer says only what its sources say: numbers, majors and universities are checked sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from backend.embedding.names import MajorNames
from backend.korean import sentences
from backend.LangGraph.state import Source

_CITATION = re.compile(r"\[(\d+)\]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_UNIVERSITY = re.compile(r"[가-힣]{2,}(?:대학교|과학기술원|교대|여대)")
_END_WITH_CITATION = re.compile(r"([.!?])((?:\s*\[\d+\])+)")


def supported(text: str, sources: Sequence[Source], names: MajorNames) -> str:
    """``text`` without its unsupported sentences; what is left may be empty.

    A sentence is supported when it cites sources, all of them exist, and they contain every number, major and university in it.
    """
    by_number = {source["n"]: f"{source['title']} {source['snippet']}" for source in sources}
    # 문장. [1] → 문장 [1]. : the citation belongs to the sentence before it
    joined = _END_WITH_CITATION.sub(r"\2\1", text)
    return " ".join(sentence for sentence in sentences(joined) if _is_supported(sentence, by_number, names))


def cited(text: str, sources: Sequence[Source]) -> list[Source]:
    """The sources that ``text`` cites, in their order."""
    numbers = {int(number) for number in _CITATION.findall(text)}
    return [source for source in sources if source["n"] in numbers]


def _is_supported(sentence: str, by_number: dict[int, str], names: MajorNames) -> bool:
    numbers = [int(number) for number in _CITATION.findall(sentence)]
    if not numbers or any(number not in by_number for number in numbers):
        return False
    passages = " ".join(by_number[number] for number in numbers)
    told = _CITATION.sub("", sentence)
    if not set(_NUMBER.findall(told)) <= set(_NUMBER.findall(passages)):
        return False
    if any(university not in passages for university in _UNIVERSITY.findall(told)) or names.unknown(told):
        return False
    within = {named.major for named in names.find(passages)}
    return all(named.major in within or named.spelling in passages for named in names.find(told))
