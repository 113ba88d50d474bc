"""From a question to chunks of own documents: by meaning and by letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backend.embedding.documents import Chunk
from backend.embedding.lexical import LexicalIndex
from backend.embedding.retrieved import Document

if TYPE_CHECKING:
    from langchain_chroma import Chroma

_CANDIDATES = 50
"""Chunks asked of each side."""
_LETTERS = 0.2
"""Share of BM25, scaled to its best, in the fused score; the rest is the cosine, scaled from E5's range. Measured
with sections of the shipped majors as documents and development queries: nDCG@10 .505 by cosine, .459 by BM25, .560 by reciprocal
ranks, .577 so."""
_LOWEST, _RANGE = 0.75, 0.15
_FITS = 0.868
"""Cosine of the nearest chunk below which nothing fits. With the same documents a tenth of messages about something else lie
above it, and two thirds of messages that ask round about; what is asked outright lies above .88."""


class DocumentRetriever:
    """Looks own documents up. Thread-safe."""

    def __init__(self, chunks: Sequence[Chunk], chroma: Chroma, letters: LexicalIndex) -> None:
        """``chroma`` must hold the chunks, ``letters`` in their order."""
        self._chunks = chunks
        self._row = {chunk.id: row for row, chunk in enumerate(chunks)}
        self._chroma = chroma
        self._letters = letters

    def retrieve(self, question: str, vector: Sequence[float], k: int = 3) -> list[Document]:
        """The ``k`` chunks nearest to ``question``, whose query vector is ``vector``; none when nothing fits."""
        near = self._chroma.similarity_search_by_vector_with_relevance_scores(list(vector), k=_CANDIDATES)
        cosines = {self._row[str(document.id)]: 1.0 - distance for document, distance in near}
        if not cosines or max(cosines.values()) < _FITS:
            return []
        letters = self._letters.scores(question)
        best = np.argpartition(-letters, min(_CANDIDATES, len(letters) - 1))[:_CANDIDATES]
        rows = list(dict.fromkeys([*cosines, *(int(row) for row in best if letters[row] > 0)]))
        farthest, most = min(cosines.values()), float(letters.max()) or 1.0
        fused = {
            row: (1 - _LETTERS) * (cosines.get(row, farthest) - _LOWEST) / _RANGE + _LETTERS * float(letters[row]) / most
            for row in rows
        }
        return [
            Document(
                id=self._chunks[row].id,
                title=self._chunks[row].file,
                section=self._chunks[row].place,
                text=self._chunks[row].text,
                score=round(min(max(fused[row], 0.0), 1.0), 4),
                origin=self._chunks[row].file,
            )
            for row in sorted(rows, key=fused.__getitem__, reverse=True)[:k]
        ]
