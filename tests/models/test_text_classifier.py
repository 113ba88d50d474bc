from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.embedding.embedder import NamedEmbeddings
from backend.models.text_classifier import TextClassifier, fit
from backend.resources import Resources

TEXTS = [
    ("심리학과는 뭘 배워요", 0),
    ("법학과 자격증 알려주세요", 0),
    ("건축학과는 어떤 일을 해요", 0),
    ("너무 불안하고 막막해요", 1),
    ("엄마랑 싸워서 속상해요", 1),
    ("시험을 망쳐서 울었어요", 1),
]


@pytest.fixture(scope="module")
def fitted(resources: Resources) -> TextClassifier:
    texts, labels = zip(*TEXTS, strict=True)
    return fit(texts, labels, [""] * len(texts), resources.embedder, data_sha256="0")


def test_it_tells_its_own_rows_apart(fitted: TextClassifier, resources: Resources) -> None:
    for text, label in TEXTS:
        probabilities = fitted.probabilities(text, resources.embedder.embed_query(text))
        assert probabilities.argmax() == label
        assert abs(probabilities.sum() - 1) < 1e-9


def test_it_survives_saving(fitted: TextClassifier, resources: Resources, tmp_path: Path) -> None:
    embedder: NamedEmbeddings = resources.embedder
    fitted.save(tmp_path / "c.npz")
    read = TextClassifier.load(tmp_path / "c.npz")
    assert (read.embedding_model, read.data_sha256) == (embedder.model_id, "0")
    for text, _ in TEXTS:
        vector = embedder.embed_query(text)
        # float16 on disk moves a probability by less than a percent
        assert np.allclose(fitted.probabilities(text, vector), read.probabilities(text, vector), atol=0.01)


def test_the_same_rows_give_the_same_parameters(fitted: TextClassifier, resources: Resources) -> None:
    texts, labels = zip(*TEXTS, strict=True)
    again = fit(texts, labels, [""] * len(texts), resources.embedder, data_sha256="0")
    vector = resources.embedder.embed_query("법학과는요")
    assert np.array_equal(fitted.probabilities("법학과는요", vector), again.probabilities("법학과는요", vector))
