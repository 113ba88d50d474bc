from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.errors import JindamError
from backend.models.risk_classifier import (
    KINDS,
    RiskClassifier,
    SafetyRow,
    open_risk_classifier,
    read_safety_rows,
    worries_without_risk,
)
from backend.resources import Resources
from backend.settings import Settings


@pytest.fixture(scope="module")
def classifier(resources: Resources, settings: Settings) -> RiskClassifier:
    return open_risk_classifier(settings.data_folder, settings.home, resources.embedder)


def test_it_names_the_kind(classifier: RiskClassifier, resources: Resources) -> None:
    text = "먹고 나면 늘 화장실로 가서 다 비워 내요. 살찌는 게 너무 무서워요"
    judged = classifier.judge(text, resources.embedder.embed_query(text))
    assert judged is not None
    assert judged.kind in KINDS
    assert judged.kind == "eating"
    assert 0.5 <= judged.probability <= 1


def test_an_ordinary_question_is_nothing(classifier: RiskClassifier, resources: Resources) -> None:
    for text in ("통계학과는 뭘 배우나요?", "오늘 급식 맛있었다", "간호학과와 물리치료학과 차이가 뭐예요"):
        assert classifier.judge(text, resources.embedder.embed_query(text)) is None


def test_worries_are_seldom_taken_for_danger(classifier: RiskClassifier, resources: Resources, settings: Settings) -> None:
    worries = worries_without_risk(settings.data_folder / "counseling" / "validation.jsonl")
    judged = [classifier.judge(row.text, resources.embedder.embed_query(row.text)) for row in worries]
    assert len(judged) > 150
    assert sum(found is not None for found in judged) <= 0.05 * len(judged)
    assert not [found for found in judged if found and found.level == "crisis"]


def test_worries_without_risk_are_examples_of_none(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "막막해요"},
        {"role": "assistant", "content": "네"},
        {"role": "user", "content": "그러게요"},
    ]
    rows = [{"messages": turns, "risk": False, "writer": "a"}, {"messages": turns, "risk": True}, {"messages": turns}]
    file = tmp_path / "train.jsonl"
    assert worries_without_risk(file) == []
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = worries_without_risk(file)
    assert [(row.text, row.crisis, row.label, row.writer) for row in found] == [
        ("막막해요", False, "none", "counselling-a"),
        ("그러게요", False, "none", "counselling-a"),
    ]


def test_rows_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        SafetyRow(text="a", crisis=False, kind="suicide")
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(JindamError, match="crisis"):
        read_safety_rows(file)
