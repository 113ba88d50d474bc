"""From a question to majors: by name, by meaning, by letters, and by their neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from backend.embedding.lexical import LexicalIndex
from backend.embedding.majors import Major, Section, passages_of
from backend.embedding.names import MajorNames

if TYPE_CHECKING:
    from langchain_chroma import Chroma

Array = NDArray[np.float32]

# Fitted on data/retrieval/dev.jsonl (three writers, one left out at a time); see data/README.md for what each part adds.
_CANDIDATES = 300
"""Passages asked of Chroma; a passage that is not among them counts as the last that is."""
_BEST_OF = 3
"""A major's nearness is the mean over its nearest passages: one lucky passage is not yet a match."""
_WEIGHTS = {"meaning": 0.52, "content_letters": 0.34, "question_letters": 0.06}
_NAMED = 3.1
_NEIGHBOUR = 0.25
"""Share of a major's probability that each of its neighbours gets: who likes 컴퓨터공학과 may like 소프트웨어공학과."""
_ALIKE_FROM, _ALIKE = 0.15, 0.6
"""Texts that share more letters than this make neighbours too, by as much as they share more, times the weight."""

_FITS = 0.866
"""Cosine of the nearest passage below which nothing fits: 98% of the development queries lie above it."""


class Document(TypedDict):
    """One section of a major that was found."""

    id: str
    major: str
    category: str
    section: str
    text: str
    score: float
    """The major's share of relevance, 0 to 1 over all majors; the same for all sections of one major."""


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
        self._order = list(self.majors)
        self._row = {name: row for row, name in enumerate(self._order)}
        passages = {name: passages_of(major) for name, major in self.majors.items()}
        contents = [
            " ".join([*self.majors[name].names, *(p.text for p in parts if p.section is not Section.QUESTION)])
            for name, parts in passages.items()
        ]
        self._content_letters = LexicalIndex(contents)
        self._question_letters = LexicalIndex([" ".join(self.majors[name].questions) or name for name in self._order])
        self._neighbours = self._neighbourhood(contents)

    def retrieve(self, question: str, vector: Sequence[float], k: int = 5) -> Retrieved:
        """The ``k`` majors that answer ``question``, whose query vector is ``vector``.

        Without a name in the question, none is returned when the nearest passage is too far away; with a name that no record has,
        none either.
        """
        start = time.perf_counter()
        mentions = self.names.find(question)
        named = _distinct(mention.major for mention in mentions if not mention.excluded)
        excluded = [major for major in _distinct(mention.major for mention in mentions) if major not in named]
        unknown = self.names.unknown(question)
        scores, nearest_cosine = self._scores(question, vector, named)
        ranking = [name for name in self._by(scores) if name not in excluded]
        ranking = named + [name for name in ranking if name not in named]
        fits = bool(named) or (not unknown and nearest_cosine >= _FITS)
        return Retrieved(
            documents=[document for name in ranking[:k] for document in self._sections(name, scores)] if fits else [],
            named=named,
            excluded=excluded,
            unknown=unknown,
            nearest=[] if fits else ranking[:3],
            seconds=time.perf_counter() - start,
        )

    def rank(self, question: str, vector: Sequence[float], k: int = 10) -> list[str]:
        """The ``k`` most relevant majors whether or not they fit, best first; for measuring."""
        named = _distinct(mention.major for mention in self.names.find(question) if not mention.excluded)
        return self._by(self._scores(question, vector, named)[0])[:k]

    def _scores(self, question: str, vector: Sequence[float], named: Iterable[str]) -> tuple[Array, float]:
        """Each major's share of relevance, and the cosine of the nearest passage."""
        meaning, nearest_cosine = self._by_meaning(vector)
        parts = {
            "meaning": meaning,
            "content_letters": self._content_letters.scores(question),
            "question_letters": self._question_letters.scores(question),
        }
        total = sum((_WEIGHTS[name] * _standardised(part) for name, part in parts.items()), np.zeros(len(self._order)))
        for name in named:
            total[self._row[name]] += _NAMED
        shares = np.exp(total - total.max())
        shares /= shares.sum()
        shares = shares + self._neighbours @ shares
        return (shares / shares.sum()).astype(np.float32), nearest_cosine

    def _by_meaning(self, vector: Sequence[float]) -> tuple[Array, float]:
        """Each major's mean cosine over its nearest passages, and the nearest of all.

        Passages are the questions a student might ask, where the record has any: beside them the other sections added nothing
        on the development queries. What Chroma does not return counts as the last that it does.
        """
        found = self._chroma.similarity_search_by_vector_with_relevance_scores(list(vector), k=_CANDIDATES)
        cosines = [1.0 - distance for _, distance in found]
        best = np.full((len(self._order), _BEST_OF), min(cosines), np.float32)
        filled = np.zeros(len(self._order), int)
        for (document, _), cosine in zip(found, cosines, strict=True):  # nearest first
            major = document.metadata["major"]
            row = self._row[major]
            counts = document.metadata["section"] == Section.QUESTION or not self.majors[major].questions
            if counts and filled[row] < _BEST_OF:
                best[row, filled[row]] = cosine
                filled[row] += 1
        return best.mean(axis=1), max(cosines)

    def _neighbourhood(self, contents: Sequence[str]) -> Array:
        """How much of each major's share goes to each other, symmetric, shape (majors, majors).

        Neighbours are the majors that a record names as related, and those whose texts are alike.
        """
        links = np.zeros((len(self._order), len(self._order)), np.float32)
        for name, major in self.majors.items():
            for other in major.related:
                if other.major in self._row:
                    links[self._row[name], self._row[other.major]] = _NEIGHBOUR
        alike = np.stack([self._content_letters.scores(content) for content in contents])
        alike /= alike.diagonal()[:, None]
        alike = np.maximum((alike + alike.T) / 2 - _ALIKE_FROM, 0)
        np.fill_diagonal(alike, 0)
        neighbours: Array = np.maximum(links, links.T) + _ALIKE * alike
        return neighbours

    def _by(self, scores: Array) -> list[str]:
        return [self._order[row] for row in np.argsort(-scores, kind="stable")]

    def _sections(self, name: str, scores: Array) -> list[Document]:
        return [
            Document(
                id=passage.id,
                major=passage.major,
                category=passage.category,
                section=passage.section.value,
                text=passage.text,
                score=round(float(scores[self._row[name]]), 4),
            )
            for passage in passages_of(self.majors[name])
            if passage.section is not Section.QUESTION
        ]


def _standardised(scores: Array) -> Array:
    """Zero mean, unit variance over the majors, so that cosines and BM25 scores can be added."""
    standardised: Array = (scores - scores.mean()) / (scores.std() + 1e-9)
    return standardised


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
