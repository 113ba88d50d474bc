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
from backend.korean import cleaned
from backend.models.risk_classifier import SafetyRow, read_safety_rows
from backend.models.router import CLASSES, read_rows
from backend.privacy import mask
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


def evaluate_safety(resources: Resources, file: Path, track: Track = iter) -> dict[str, Any]:
    """Screen every row of ``file`` by itself.

    Returns ``rows``, ``recall`` (rows with danger to which help is shown: ``concern`` or ``crisis``), ``recall_by_kind``,
    ``recall_subtle`` and ``recall_plain``, ``false_alarm_rate`` (harmless rows to which it is shown too) and by ``family``,
    95% intervals of both rates, ``p95_ms`` (the screen alone, on top of the query vector that the router and the retriever
    use too), and the rows that were missed or raised a false alarm.

    Raises:
        JindamError: the file cannot be read.

    """
    rows = read_safety_rows(file)
    risk, embedder = resources.risk, resources.embedder
    risk.assess("준비", embedder.embed_query("준비"))
    missed: list[dict[str, Any]] = []
    false_alarms: list[dict[str, Any]] = []
    shown: list[bool] = []
    milliseconds: list[float] = []
    for row in track(rows):
        text = mask(cleaned(row.text)).text
        vector = embedder.embed_query(text)
        start = time.perf_counter()
        found = risk.assess(text, vector)
        milliseconds.append(1000 * (time.perf_counter() - start))
        shown.append(found.level != "none")
        if row.crisis and not shown[-1]:
            missed.append({"text": row.text, "kind": row.kind, "subtle": row.subtle})
        if shown[-1] and not row.crisis:
            false_alarms.append({"text": row.text, "family": row.family, "rule": found.rule, "level": found.level})

    def rate(members: Callable[[SafetyRow], bool]) -> float | None:
        chosen = [hit for row, hit in zip(rows, shown, strict=True) if members(row)]
        return round(sum(chosen) / len(chosen), 4) if chosen else None

    def rates(names: Iterable[str | None], name_of: Callable[[SafetyRow], str | None]) -> dict[str, float | None]:
        return {name: rate(lambda row: name_of(row) == name) for name in sorted({name for name in names if name})}  # noqa: B023

    positives, negatives = sum(row.crisis for row in rows), sum(not row.crisis for row in rows)
    return {
        "rows": len(rows),
        "recall": rate(lambda row: row.crisis),
        "recall_interval": wilson(positives - len(missed), positives),
        "recall_by_kind": rates([row.kind for row in rows], lambda row: row.kind),
        "recall_subtle": rate(lambda row: row.crisis and row.subtle is True),
        "recall_plain": rate(lambda row: row.crisis and row.subtle is False),
        "false_alarm_rate": rate(lambda row: not row.crisis),
        "false_alarm_interval": wilson(len(false_alarms), negatives),
        "false_alarms_by_family": rates([row.family for row in rows], lambda row: row.family),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "missed": missed,
        "false_alarms": false_alarms,
    }


def wilson(hits: int, trials: int) -> tuple[float, float] | None:
    """The 95% interval of a rate (Wilson 1927); None without trials."""
    if not trials:
        return None
    z, share = 1.959964, hits / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return round(max(0.0, centre - half), 5), round(min(1.0, centre + half), 5)


def _ndcg(ranking: Sequence[str], gold: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002, with exponential gain)."""

    def dcg(grades: Iterable[int]) -> float:
        return sum((2.0**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades))

    ideal = dcg(sorted(gold.values(), reverse=True)[:10])
    return dcg(gold.get(name, 0) for name in ranking[:10]) / ideal


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)
