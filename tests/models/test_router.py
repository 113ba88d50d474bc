from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.embedding.embedder import NamedEmbeddings
from backend.errors import JindamError
from backend.models.router import Router, RoutingRow, fit_router, open_router, read_rows
from backend.models.text_classifier import sha256_of
from backend.resources import Resources
from backend.settings import Settings

ROWS = [
    RoutingRow(query=query, needs_facts=facts, needs_counsel=counsel, off_topic=not (facts or counsel))
    for query, facts, counsel in [
        ("심리학과는 뭘 배워요", True, False),
        ("법학과 자격증 알려주세요", True, False),
        ("너무 불안하고 막막해요", False, True),
        ("엄마랑 싸워서 속상해요", False, True),
        ("불안한데 간호학과는 뭘 배워요", True, True),
        ("속상해요 건축학과 자격증은요", True, True),
        ("오늘 날씨 어때", False, False),
        ("떡볶이 맛집 추천", False, False),
    ]
]


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


def test_it_survives_saving(resources: Resources, tmp_path: Path) -> None:
    embedder: NamedEmbeddings = resources.embedder
    fitted = fit_router(ROWS, embedder)
    fitted.save(tmp_path / "router.npz")
    read = Router.load(tmp_path / "router.npz")
    for row in ROWS:
        vector = embedder.embed_query(row.query)
        # float16 on disk moves a probability by less than a percent
        assert np.allclose(fitted.probabilities(row.query, vector), read.probabilities(row.query, vector), atol=0.01)
        assert fitted.decide(row.query, vector).confidence > 0.3


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
