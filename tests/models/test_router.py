from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import JindamError
from backend.models.router import Router, open_router, read_rows
from backend.models.text_classifier import sha256_of
from backend.resources import Resources
from backend.settings import Settings


def test_probabilities_are_probabilities(resources: Resources) -> None:
    router: Router = resources.router

    @given(st.text(max_size=60))
    def check(text: str) -> None:
        vector = np.zeros(384)
        probabilities = router.probabilities(text, vector.tolist())
        assert probabilities.shape == (4,)
        assert probabilities.min() >= 0
        assert abs(probabilities.sum() - 1) < 1e-9
        decision = router.decide(text, vector.tolist())
        assert decision.route in ("rag", "finetune", "both", "off_topic")
        assert decision.reason

    check()


def test_the_shipped_router_is_the_shipped_rows(resources: Resources, settings: Settings) -> None:
    router: Router = resources.router
    rows = read_rows(settings.data_folder / "routing" / "train.jsonl")
    assert router.data_sha256 == sha256_of(rows)


def test_another_embedding_model_gets_a_router_of_its_own(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        model_id = "other"

        def embed_query(self, text: str) -> list[float]:
            return [len(text) / 100, 1.0]

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

    router = open_router(settings.data_folder, tmp_path, Other())
    assert router.embedding_model == "other"
    monkeypatch.setattr("backend.models.router.fit_router", None)  # a second start must not fit again
    assert open_router(settings.data_folder, tmp_path, Other()).embedding_model == "other"


def test_bad_rows_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"query":"a","needs_facts":true,"needs_counsel":false,"off_topic":true}\n', encoding="utf-8")
    with pytest.raises(JindamError, match=r"rows\.jsonl 1번째 줄"):
        read_rows(file)
    with pytest.raises(JindamError, match="읽을 수 없습니다"):
        read_rows(tmp_path / "absent.jsonl")
