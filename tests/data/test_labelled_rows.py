"""The routing rows and retrieval queries are what the data card says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.models.router import CLASSES, RoutingRow, read_rows
from backend.resources import Resources
from backend.settings import Settings
from tests.data.test_majors import near_duplicates

PII = re.compile(r"01[016789][-. ]?\d{3,4}[-. ]?\d{4}|\d{6}-?[1-8]\d{6}|[\w.]+@[\w.]+\.\w+")


@pytest.fixture(scope="module")
def folder(settings: Settings) -> Path:
    return settings.data_folder


@pytest.fixture(scope="module")
def train(folder: Path) -> list[RoutingRow]:
    return read_rows(folder / "routing" / "train.jsonl")


@pytest.fixture(scope="module")
def test_rows(folder: Path) -> list[RoutingRow]:
    return read_rows(folder / "routing" / "test.jsonl")


def test_counts_and_writers(train: list[RoutingRow], test_rows: list[RoutingRow]) -> None:
    assert len(train) >= 1500
    assert len(test_rows) >= 0.19 * (len(train) + len(test_rows))
    assert not {row.writer for row in train} & {row.writer for row in test_rows}
    for rows in (train, test_rows):
        shares = Counter(row.label for row in rows)
        assert all(shares[label] >= 0.12 * len(rows) for label in CLASSES)


def test_no_near_duplicates_within_or_across_splits(train: list[RoutingRow], test_rows: list[RoutingRow]) -> None:
    assert near_duplicates([row.query for row in [*train, *test_rows]], 0.5) == []


def test_length_gives_nothing_away(train: list[RoutingRow]) -> None:
    lengths = {label: sorted(len(row.query) for row in train if row.label == label) for label in CLASSES}
    for shorter in CLASSES:
        for longer in CLASSES:
            a, b = lengths[shorter], lengths[longer]
            assert a[len(a) // 10] < b[len(b) // 2] < a[len(a) * 9 // 10 - 1]


def test_no_personal_data(train: list[RoutingRow], test_rows: list[RoutingRow]) -> None:
    assert [row.query for row in [*train, *test_rows] if PII.search(row.query)] == []


@pytest.mark.parametrize("split", ["dev", "test", "careernet_dev", "careernet_test"])
def test_retrieval_queries_name_known_majors(folder: Path, resources: Resources, split: str) -> None:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (folder / "retrieval" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    names = {major.major for major in resources.majors}
    assert len(rows) >= 150
    assert all(set(row["gold"]) <= names and 2 in row["gold"].values() for row in rows)
    assert sum(row["kind"] == "name" for row in rows) <= 0.15 * len(rows)


def test_queries_over_the_careernet_corpus_are_of_every_kind(folder: Path) -> None:
    kinds: Counter[str] = Counter()
    for split in ("careernet_dev", "careernet_test"):
        lines = (folder / "retrieval" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        kinds.update(json.loads(line)["kind"] for line in lines)
    assert min(kinds[kind] for kind in ("slang", "interest", "job", "subject", "compare", "licence", "colloquial")) >= 20


@pytest.mark.parametrize("split", ["test", "careernet_test"])
def test_no_held_out_query_is_indexed(folder: Path, resources: Resources, split: str) -> None:
    lines = (folder / "retrieval" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["query"] for line in lines]
    indexed = [question for major in resources.majors for question in major.questions]
    pairs = near_duplicates([*queries, *indexed], 0.5)
    assert [pair for pair in pairs if pair[0] in set(queries)] == []
