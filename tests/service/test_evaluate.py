from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.errors import JindamError
from backend.resources import Resources
from backend.service.evaluate import _ndcg, evaluate_retrieval, evaluate_router, evaluate_safety, wilson


def _write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def test_router(resources: Resources, tmp_path: Path) -> None:
    rows = [
        {"query": "심리학과에서는 무엇을 배우나요?", "needs_facts": True, "needs_counsel": False, "off_topic": False},
        {"query": "오늘 저녁 메뉴 추천", "needs_facts": False, "needs_counsel": False, "off_topic": True},
        {"query": "오늘 저녁 메뉴 추천!", "needs_facts": True, "needs_counsel": False, "off_topic": False},
    ]
    result = evaluate_router(resources, _write(tmp_path / "r.jsonl", rows))
    assert {"rows", "accuracy", "confusion", "p95_ms"} <= set(result)
    assert result["rows"] == 3
    assert result["accuracy"] == 0.6667
    assert result["confusion"]["facts"] == {"facts": 1, "counsel": 0, "both": 0, "off_topic": 1}
    assert [error["query"] for error in result["errors"]] == ["오늘 저녁 메뉴 추천!"]


def test_retrieval(resources: Resources, tmp_path: Path) -> None:
    rows = [
        {"query": "간호학과는 뭘 배워요", "gold": {"간호학과": 2}},
        {"query": "간호학과는 뭘 배워요", "gold": {"작곡과": 2}},
    ]
    result = evaluate_retrieval(resources, _write(tmp_path / "r.jsonl", rows))
    assert {"rows", "ndcg@10", "recall@5", "p95_ms"} <= set(result)
    assert (result["ndcg@10"], result["recall@5"]) == (0.5, 0.5)


def test_ndcg_by_hand() -> None:
    assert _ndcg(["가", "나"], {"가": 2, "나": 1}) == 1
    assert _ndcg(["나", "가"], {"가": 2, "나": 1}) == pytest.approx((1 + 3 / 1.5849625) / (3 + 1 / 1.5849625))
    assert _ndcg(["다"], {"가": 2}) == 0


def test_bad_rows_are_told(resources: Resources, tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="1번째 줄"):
        evaluate_retrieval(resources, _write(tmp_path / "r.jsonl", [{"query": "a", "gold": {"간호학과": 3}}]))


def test_safety(resources: Resources, tmp_path: Path) -> None:
    rows = [
        {"text": "죽고 싶어요", "crisis": True, "kind": "suicide", "subtle": False},
        {"text": "먹토를 못 끊겠어요", "crisis": True, "kind": "eating", "subtle": False},
        {"text": "심리학과는 뭘 배우나요", "crisis": True, "kind": "panic", "subtle": True},
        {"text": "배고파 죽겠어", "crisis": False, "family": "idiom"},
        {"text": "사라지고 싶다", "crisis": False},
    ]
    result = evaluate_safety(resources, _write(tmp_path / "r.jsonl", rows))
    assert {"rows", "recall", "recall_by_kind", "false_alarm_rate", "p95_ms"} <= set(result)
    assert (result["rows"], result["recall"], result["false_alarm_rate"]) == (5, 0.6667, 0.5)
    assert result["recall_by_kind"] == {"eating": 1.0, "panic": 0.0, "suicide": 1.0}
    assert (result["recall_plain"], result["recall_subtle"]) == (1.0, 0.0)
    assert [row["text"] for row in result["missed"]] == ["심리학과는 뭘 배우나요"]
    assert [row["rule"] for row in result["false_alarms"]] == ["vanish"]


def test_a_file_of_texts_alone_is_measured_too(resources: Resources, tmp_path: Path) -> None:
    result = evaluate_safety(resources, _write(tmp_path / "r.jsonl", [{"text": "오늘 급식 맛있다", "crisis": False}]))
    assert (result["recall"], result["recall_interval"], result["false_alarm_rate"]) == (None, None, 0.0)
    with pytest.raises(JindamError, match="kind"):
        evaluate_safety(resources, _write(tmp_path / "b.jsonl", [{"text": "a", "crisis": True, "kind": "sadness"}]))


def test_the_interval_by_hand() -> None:
    assert wilson(0, 3000) == (0.0, 0.00128)
    assert wilson(97, 100) == (0.91548, 0.98975)
    assert wilson(0, 0) is None
