"""From a question to everything that a collection knows: its majors, its own documents, its universities."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from backend.embedding.contents import Contents
from backend.embedding.document_retriever import DocumentRetriever
from backend.embedding.index import Index
from backend.embedding.major_retriever import MajorRetriever
from backend.embedding.majors import Major
from backend.embedding.names import MajorNames
from backend.embedding.retrieved import Retrieved


class Retriever:
    """Looks everything up in one collection. Thread-safe."""

    def __init__(self, contents: Contents, index: Index, shipped: Iterable[Major] = ()) -> None:
        """``index`` must be that of ``contents``; what ``shipped`` says of the majors of another corpus helps to find them."""
        self.majors = {major.major: major for major in contents.majors}
        self._of_majors = (
            MajorRetriever(contents.majors, index.majors, index.discriminants, shipped) if index.discriminants else None
        )
        self._of_documents = (
            DocumentRetriever(contents.chunks, index.documents, index.document_letters) if index.document_letters else None
        )
        self.names = self._of_majors.names if self._of_majors else MajorNames([])

    def retrieve(self, question: str, vector: Sequence[float], k: int = 5) -> Retrieved:
        """What answers ``question``, whose query vector is ``vector``: up to ``k`` majors, and chunks of own documents."""
        start = time.perf_counter()
        found = self._of_majors.retrieve(question, vector, k) if self._of_majors else nothing()
        if self._of_documents:
            found["chunks"] = self._of_documents.retrieve(question, vector)
        found["seconds"] = time.perf_counter() - start
        return found

    def rank(self, question: str, vector: Sequence[float], k: int = 10) -> list[str]:
        """The ``k`` most relevant majors whether or not they fit, best first; for measuring."""
        return self._of_majors.rank(question, vector, k) if self._of_majors else []


def nothing() -> Retrieved:
    """A look-up that found nothing."""
    return Retrieved(
        documents=[], chunks=[], schools=[], unknown_schools=[], named=[], excluded=[], unknown=[], nearest=[], seconds=0.0
    )
