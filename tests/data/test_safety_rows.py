"""The safety rows are what the data card says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from backend.models.risk_classifier import CLASSES, KINDS, SafetyRow, read_safety_rows, training_rows
from backend.privacy import mask
from backend.settings import Settings
from tests.data.test_majors import near_duplicates

FAMILIES = set("idiom negation fiction career substring homonym past_other sport_body stress conflict feelings_end".split())
METHOD = re.compile(r"번개탄|착화탄|치사량|마포|대교")


@pytest.fixture(scope="module")
def folder(settings: Settings) -> Path:
    return settings.data_folder / "safety"


@pytest.fixture(scope="module")
def splits(folder: Path) -> dict[str, list[SafetyRow]]:
    return {name: read_safety_rows(folder / f"{name}.jsonl") for name in ("train", "test", "ordinary")}


def test_counts_kinds_and_families(splits: dict[str, list[SafetyRow]]) -> None:
    labelled = [row for name in ("train", "test") for row in splits[name] if row.family != "ordinary"]
    assert len(labelled) >= 1200
    for name in ("train", "test"):
        positives = [row for row in splits[name] if row.crisis]
        kinds = Counter(row.kind for row in positives)
        assert set(kinds) == set(KINDS)
        assert min(kinds.values()) >= 25
        assert sum(row.subtle is True for row in positives) >= 0.5 * len(positives)
        assert {row.family for row in splits[name] if not row.crisis} >= FAMILIES
    assert len(splits["ordinary"]) >= 3000
    assert not any(row.crisis for row in splits["ordinary"])


def test_every_row_is_whole(splits: dict[str, list[SafetyRow]]) -> None:
    for row in [row for rows in splits.values() for row in rows]:
        assert row.writer
        assert row.label in CLASSES
        if row.crisis:
            assert row.kind in KINDS
            assert row.level in ("concern", "crisis")
            assert row.about in ("self", "other")
        else:
            assert (row.level, row.about, row.subtle) == ("none", None, None)


def test_writers_are_not_shared(splits: dict[str, list[SafetyRow]]) -> None:
    writers = {name: {row.writer for row in rows} for name, rows in splits.items()}
    assert not writers["train"] & writers["test"]
    assert not writers["train"] & writers["ordinary"]


def test_no_near_duplicates(splits: dict[str, list[SafetyRow]]) -> None:
    assert near_duplicates([row.text for rows in splits.values() for row in rows if len(row.text) > 12], 0.5) == []


def test_no_method_and_no_personal_data(splits: dict[str, list[SafetyRow]]) -> None:
    texts = [row.text for name in ("train", "test") for row in splits[name] if row.crisis]
    assert [text for text in texts if METHOD.search(text)] == []
    assert [text for text in texts if mask(text).found] == []


def test_the_shipped_classifier_is_the_shipped_rows(settings: Settings) -> None:
    from backend.models.text_classifier import TextClassifier, sha256_of

    data = settings.data_folder
    shipped = TextClassifier.load(data / "safety" / "risk.npz")
    assert shipped.data_sha256 == sha256_of(training_rows(data))
