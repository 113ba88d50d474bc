"""From a question to majors: by name, by meaning, by letters, and by their neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.embedding.discriminants import Discriminants
from backend.embedding.lexical import LexicalIndex
from backend.embedding.majors import Major, Section, passages_of, searched_passages_of
from backend.embedding.names import MajorNames
from backend.embedding.retrieved import Document, Retrieved
from backend.embedding.universities import Universities

if TYPE_CHECKING:
    from langchain_chroma import Chroma

Array = NDArray[np.float32]

# Fitted to data/retrieval/dev.jsonl and careernet_dev.jsonl together; see data/README.md for what each part adds.
_WEIGHTS = {"meaning": 0.8, "content_letters": 0.28, "question_letters": 0.26}
_NAMED = 4.0
_NEIGHBOUR = 0.25
"""Share of a major's probability that each of its neighbours gets: who likes 컴퓨터공학과 may like 소프트웨어공학과."""
_ALIKE_FROM, _ALIKE = 0.15, 0.6
"""Texts that share more letters than this make neighbours too, by as much as they share more, times the weight."""

_FITS = 0.866
"""Cosine of the nearest passage below which nothing fits: 98% of the development queries lie above it."""


class MajorRetriever:
    """Looks majors up in one collection. Thread-safe."""

    def __init__(
        self, majors: Iterable[Major], chroma: Chroma, discriminants: Discriminants, shipped: Iterable[Major] = ()
    ) -> None:
        """``chroma`` must hold the passages of ``majors``, ``discriminants`` be in their order.

        The words of the ``shipped`` record of the same name are searched too; they are never shown.
        """
        self.majors = {major.major: major for major in majors}
        self.names = MajorNames(self.majors.values())
        self.universities = Universities(self.majors.values())
        self._chroma = chroma
        self._discriminants = discriminants
        self._order = list(self.majors)
        self._row = {name: row for row, name in enumerate(self._order)}
        passages = {name: searched_passages_of(major) for name, major in self.majors.items()}
        for major in shipped:
            if major.major in passages and self.majors[major.major].attached:
                passages[major.major] += searched_passages_of(major)
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
        scores = self._scores(question, vector, named)
        ranking = [name for name in self._by(scores) if name not in excluded]
        ranking = named + [name for name in ranking if name not in named]
        fits = bool(named) or (not unknown and self._nearest_cosine(vector) >= _FITS)
        return Retrieved(
            documents=[document for name in ranking[:k] for document in self._sections(name, scores)] if fits else [],
            chunks=[],
            schools=self.universities.found(question),
            unknown_schools=self.universities.unknown(question),
            named=named,
            excluded=excluded,
            unknown=unknown,
            nearest=[] if fits else ranking[:3],
            seconds=time.perf_counter() - start,
        )

    def rank(self, question: str, vector: Sequence[float], k: int = 10) -> list[str]:
        """The ``k`` most relevant majors whether or not they fit, best first; for measuring."""
        named = _distinct(mention.major for mention in self.names.find(question) if not mention.excluded)
        return self._by(self._scores(question, vector, named))[:k]

    def _scores(self, question: str, vector: Sequence[float], named: Iterable[str]) -> Array:
        """Each major's share of relevance, shape (majors,)."""
        parts = {
            "meaning": self._discriminants.scores(vector),
            "content_letters": self._content_letters.scores(question),
            "question_letters": self._question_letters.scores(question),
        }
        total = sum((_WEIGHTS[name] * _standardised(part) for name, part in parts.items()), np.zeros(len(self._order)))
        for name in named:
            total[self._row[name]] += _NAMED
        shares = np.exp(total - total.max())
        shares /= shares.sum()
        shares = shares + self._neighbours @ shares
        scores: Array = (shares / shares.sum()).astype(np.float32)
        return scores

    def _nearest_cosine(self, vector: Sequence[float]) -> float:
        """The cosine of the passage that is nearest of all."""
        ((_, distance),) = self._chroma.similarity_search_by_vector_with_relevance_scores(list(vector), k=1)
        return 1.0 - distance

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
                title=passage.major,
                section=passage.section.value,
                text=passage.text,
                score=round(float(scores[self._row[name]]), 4),
                origin=passage.origin,
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
