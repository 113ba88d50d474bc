"""From a question to majors: by name and by meaning, with the passages that answer it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from backend.embedding.majors import Major, Section, passages_of
from backend.embedding.names import MajorNames

if TYPE_CHECKING:
    from langchain_chroma import Chroma

_CANDIDATES = 80
"""Passages asked of Chroma; several of them belong to one major."""

_FITS = 0.88
"""Cosine of the best passage below which nothing fits. E5's cosines lie in .7 to 1.0; calibrated on the routing rows."""


class Document(TypedDict):
    """One section of a major that was found."""

    id: str
    major: str
    category: str
    section: str
    text: str
    score: float
    """Relevance of the major to the question, 0 to 1; the same for all sections of one major."""


class Retrieved(TypedDict):
    """What a question brought up."""

    documents: list[Document]
    """All sections of the majors that fit, best major first; empty when nothing fits."""
    named: list[str]
    """Majors that the question names and wants, in its order."""
    excluded: list[str]
    """Majors that the question names and does not want (의예과 말고)."""
    unknown: list[str]
    """Words of the question that look like a major's name and are not in the data."""
    nearest: list[str]
    """Where nothing fits, the majors that come closest."""
    seconds: float


class MajorRetriever:
    """Looks majors up in one collection. Thread-safe."""

    def __init__(self, majors: Iterable[Major], chroma: Chroma) -> None:
        """``chroma`` must hold the passages of ``majors``."""
        self.majors = {major.major: major for major in majors}
        self.names = MajorNames(self.majors.values())
        self._chroma = chroma

    def retrieve(self, question: str, vector: Sequence[float], k: int = 5) -> Retrieved:
        """The ``k`` majors that answer ``question``, whose query vector is ``vector``.

        Named majors come first, in the question's order; then the others by their best passage's cosine. Without a name, no
        major is returned when the best passage is too far away.
        """
        start = time.perf_counter()
        mentions = self.names.find(question)
        named = _distinct(mention.major for mention in mentions if not mention.excluded)
        excluded = [major for major in _distinct(mention.major for mention in mentions) if major not in named]
        unknown = self.names.unknown(question)

        similar = self._by_meaning(vector)
        ranking = [(major, 1.0) for major in named]
        ranking += [(major, score) for major, score in similar.items() if major not in named and major not in excluded]
        fits = bool(named) or (not unknown and bool(similar) and max(similar.values()) >= _FITS)
        return Retrieved(
            documents=[document for major, score in ranking[:k] for document in self._sections(major, score)] if fits else [],
            named=named,
            excluded=excluded,
            unknown=unknown,
            nearest=[] if fits else [major for major, _ in ranking[:3]],
            seconds=time.perf_counter() - start,
        )

    def _by_meaning(self, vector: Sequence[float]) -> dict[str, float]:
        """Each major's best cosine among the nearest passages, best first."""
        found = self._chroma.similarity_search_by_vector_with_relevance_scores(list(vector), k=_CANDIDATES)
        best: dict[str, float] = {}
        for document, distance in found:  # nearest first, so a major's first passage is its best
            best.setdefault(document.metadata["major"], 1.0 - distance)
        return best

    def _sections(self, major: str, score: float) -> list[Document]:
        return [
            Document(
                id=passage.id,
                major=passage.major,
                category=passage.category,
                section=passage.section.value,
                text=passage.text,
                score=round(score, 4),
            )
            for passage in passages_of(self.majors[major])
            if passage.section is not Section.QUESTION
        ]


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
