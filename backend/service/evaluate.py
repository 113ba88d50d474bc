"""Measuring the parts on labelled rows, ours or anybody's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
