from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.errors import JindamError
from backend.resources import Resources
from backend.service.evaluate import _ndcg, evaluate_retrieval, evaluate_router


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
