"""Measuring the parts on labelled rows, ours or anybody's."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from backend.jsonl import read_jsonl
from backend.models.router import CLASSES, read_rows
from backend.resources import Resources

Track = Callable[[Sequence[Any]], Iterable[Any]]
"""Wraps rows in a progress bar."""

_CLASS_OF_ROUTE = {"rag": "facts", "finetune": "counsel", "both": "both", "off_topic": "off_topic"}


def evaluate_router(resources: Resources, file: Path, track: Track = iter) -> dict[str, Any]:
    """Route every row of ``file``; ``track`` wraps the rows in a progress bar.

    Returns ``rows``, ``accuracy`` (four-way, of the route that a message would really take), ``confusion`` (gold class →
    routed class → count), ``p95_ms`` (embedding and decision together) and ``errors`` (the rows that went elsewhere).

    Raises:
        JindamError: the file cannot be read.

    """
    rows = read_rows(file)
    router, embedder = resources.router, resources.embedder
    embedder.embed_query("준비")  # loading the model is not part of a message's time
    confusion = {gold: dict.fromkeys(CLASSES, 0) for gold in CLASSES}
    errors: list[dict[str, Any]] = []
    milliseconds: list[float] = []
    for row in track(rows):
        start = time.perf_counter()
        decision = router.decide(row.query, embedder.embed_query(row.query))
        milliseconds.append(1000 * (time.perf_counter() - start))
        routed = _CLASS_OF_ROUTE[decision.route]
        confusion[row.label][routed] += 1
        if routed != row.label:
            errors.append({"query": row.query, "gold": row.label, "routed": routed, "confidence": decision.confidence})
    right = sum(confusion[label][label] for label in CLASSES)
    return {
        "rows": len(rows),
        "accuracy": round(right / len(rows), 4),
        "confusion": confusion,
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "errors": errors,
    }


class RetrievalRow(BaseModel):
    """A query and the majors that answer it: 2 for those a counsellor would name first, 1 for others that are right."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str
    gold: dict[str, Literal[1, 2]]


def evaluate_retrieval(resources: Resources, file: Path, track: Track = iter) -> dict[str, Any]:
    """Look up every row of ``file``.

    Returns ``rows``, ``ndcg@10`` (gain 2^grade - 1), ``recall@5`` (of all gold majors), ``p95_ms`` (embedding and look-up
    together), and nDCG by the rows' ``kind`` where they have one.

    Raises:
        JindamError: the file cannot be read.

    """
    rows = read_jsonl(file, _KindedRow, '{"query": "…", "gold": {"학과명": 2}}')
    retriever, embedder = resources.retriever, resources.embedder
    retriever.rank("준비", embedder.embed_query("준비"))
    scored: list[tuple[str, float, float]] = []
    milliseconds: list[float] = []
    for row in track(rows):
        start = time.perf_counter()
        ranking = retriever.rank(row.query, embedder.embed_query(row.query))
        milliseconds.append(1000 * (time.perf_counter() - start))
        recall = len(set(ranking[:5]) & set(row.gold)) / len(row.gold)
        scored.append((row.kind, _ndcg(ranking, row.gold), recall))
    kinds = sorted({kind for kind, _, _ in scored if kind})
    return {
        "rows": len(rows),
        "ndcg@10": _mean(ndcg for _, ndcg, _ in scored),
        "recall@5": _mean(recall for _, _, recall in scored),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "ndcg@10_by_kind": {kind: _mean(ndcg for of, ndcg, _ in scored if of == kind) for kind in kinds},
    }


class _KindedRow(RetrievalRow):
    kind: str = ""


def _ndcg(ranking: Sequence[str], gold: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002, with exponential gain)."""

    def dcg(grades: Iterable[int]) -> float:
        return sum((2.0**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades))

    ideal = dcg(sorted(gold.values(), reverse=True)[:10])
    return dcg(gold.get(name, 0) for name in ranking[:10]) / ideal


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)
