"""Telling what a message needs: facts, counsel, both, or neither.

A :class:`~backend.models.text_classifier.TextClassifier` of four classes (facts only, counsel only, both, off topic), fitted
from ``data/routing/``. The probability that facts are needed is that of "facts only" plus that of "both"; likewise for counsel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from backend.embedding.embedder import NamedEmbeddings
from backend.jsonl import read_jsonl
from backend.models import text_classifier
from backend.models.text_classifier import TextClassifier, sha256_of

FILE_NAME = "router.npz"
CLASSES = ("facts", "counsel", "both", "off_topic")

_UNSURE = 0.5
"""Probability of the best class below which both branches answer."""


class RoutingRow(BaseModel):
    """One labelled message."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str
    needs_facts: bool
    needs_counsel: bool
    off_topic: bool
    writer: str = ""
    """Who wrote it; rows of one writer are alike, so calibration never tests on a writer it was fitted to."""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> RoutingRow:
        if self.off_topic == (self.needs_facts or self.needs_counsel):
            raise ValueError("off_topic must be true exactly when neither facts nor counsel is needed")
        return self

    @property
    def label(self) -> str:
        """The row's class."""
        if self.off_topic:
            return "off_topic"
        if self.needs_facts and self.needs_counsel:
            return "both"
        return "facts" if self.needs_facts else "counsel"


@dataclass(frozen=True)
class Decision:
    """Where a message should go, and why."""

    route: Literal["rag", "finetune", "both", "off_topic"]
    confidence: float
    facts: float
    counsel: float
    off_topic: float
    reason: str


class Router:
    """A fitted router. Thread-safe."""

    def __init__(self, classifier: TextClassifier) -> None:
        """``classifier`` was fitted to :data:`CLASSES`."""
        self.embedding_model = classifier.embedding_model
        self.data_sha256 = classifier.data_sha256
        self._classifier = classifier

    def probabilities(self, query: str, vector: Sequence[float]) -> NDArray[np.float64]:
        """Probabilities of :data:`CLASSES`, shape (4,)."""
        return self._classifier.probabilities(query, vector)

    def decide(self, query: str, vector: Sequence[float]) -> Decision:
        """The route of a message; unsure means both branches, never a guess."""
        facts_only, counsel_only, both, off_topic = self.probabilities(query, vector).tolist()
        best = max(facts_only, counsel_only, both, off_topic)
        facts, counsel = facts_only + both, counsel_only + both
        route: Literal["rag", "finetune", "both", "off_topic"]
        if best < _UNSURE and off_topic < best:
            route = "both"
        elif best == off_topic:
            route = "off_topic"
        elif best == both:
            route = "both"
        else:
            route = "rag" if best == facts_only else "finetune"
        return Decision(
            route=route,
            confidence=round(best, 4),
            facts=round(facts, 4),
            counsel=round(counsel, 4),
            off_topic=round(off_topic, 4),
            reason=_reason(route, best, facts, counsel, off_topic),
        )


def _reason(route: str, best: float, facts: float, counsel: float, off_topic: float) -> str:
    shares = f"사실 확인 {facts:.0%}, 상담 {counsel:.0%}, 주제 밖 {off_topic:.0%}"
    match route:
        case "rag":
            return f"학과·직업 정보를 찾는 질문으로 보았습니다 ({shares})."
        case "finetune":
            return f"고민을 나누는 이야기로 보았습니다 ({shares})."
        case "off_topic":
            return f"진로나 고민과 관계없는 이야기로 보았습니다 ({shares})."
        case _ if best < _UNSURE:
            return f"어느 쪽인지 확실하지 않아 두 가지로 모두 답합니다 ({shares})."
        case _:
            return f"정보도 찾고 고민도 나누는 글로 보았습니다 ({shares})."


def read_rows(file: Path) -> list[RoutingRow]:
    """Labelled messages of a JSONL file.

    Raises:
        JindamError: the file cannot be read or a line is not a row.

    """
    return read_jsonl(file, RoutingRow, '{"query": "…", "needs_facts": true, "needs_counsel": false, "off_topic": false}')


def fit_router(rows: Sequence[RoutingRow], embedder: NamedEmbeddings) -> TextClassifier:
    """Fit a router's classifier to labelled messages (needs scikit-learn).

    Raises:
        JindamError: scikit-learn is not installed.

    """
    return text_classifier.fit(
        [row.query for row in rows],
        [CLASSES.index(row.label) for row in rows],
        [row.writer for row in rows],
        embedder,
        data_sha256=sha256_of(rows),
    )


def open_router(data_folder: Path, home: Path, embedder: NamedEmbeddings) -> Router:
    """The shipped router, or, for another embedding model, one fitted to it once and kept in ``home``.

    Raises:
        JindamError: a router must be fitted and scikit-learn is not installed.

    """
    folder = data_folder / "routing"
    return Router(
        text_classifier.open_fitted(
            folder / FILE_NAME, home / "router", embedder, lambda: fit_router(read_rows(folder / "train.jsonl"), embedder)
        )
    )


def main() -> None:
    """Fit the shipped router again, after an edit of data/routing/train.jsonl."""
    from backend.embedding.embedder import open_embedder
    from backend.settings import get_settings

    folder = get_settings().data_folder / "routing"
    rows = read_rows(folder / "train.jsonl")
    fit_router(rows, open_embedder(get_settings())).save(folder / FILE_NAME)
    print(f"fitted to {len(rows)} rows")  # noqa: T201


if __name__ == "__main__":
    main()
