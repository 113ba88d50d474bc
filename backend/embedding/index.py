"""The Chroma index of a collection: built once, verified by its manifest, opened for reading.

An index is built beside its place and moved in whole, so a process that is killed while building leaves nothing that looks
finished, and two processes that start at once build it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.embedding.majors import Passage
from backend.errors import JindamError
from backend.files import locked, require_space, written_aside

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from langchain_chroma import Chroma

LAYOUT = 1
"""Raised when passages are cut or stored in another way, so that older indexes are built again."""

_MANIFEST = "manifest.json"
_BATCH = 256
_BYTES_A_PASSAGE = 8_000  # vector, text, FTS and HNSW links, measured on our majors at about 5 kB

Progress = Callable[[int, int], None]
"""Called with (passages done, passages in all)."""


class Manifest(BaseModel):
    """What an index was made from. Equal manifests mean equal indexes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: int
    collection: str
    embedding_model: str
    data_sha256: str
    passages: int


def manifest_of(collection: str, passages: Iterable[Passage], embedding_model: str) -> Manifest:
    """The manifest that an index of these passages must have."""
    digest = hashlib.sha256()
    count = 0
    for count, passage in enumerate(passages, 1):  # noqa: B007
        digest.update(f"{passage.id}\0{passage.section}\0{passage.embedded_text}\0\0".encode())
    return Manifest(
        layout=LAYOUT,
        collection=collection,
        embedding_model=embedding_model,
        data_sha256=digest.hexdigest(),
        passages=count,
    )


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the index in ``folder``; None where there is no whole index."""
    try:
        return Manifest.model_validate_json((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def ensure_index(
    folder: Path,
    wanted: Manifest,
    passages: list[Passage],
    embeddings: Embeddings,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Make the index in ``folder`` the wanted one; returns whether it had to be built.

    Raises:
        JindamError: the disk is full.

    """
    if not rebuild and read_manifest(folder) == wanted:
        return False
    with locked(folder):
        if not rebuild and read_manifest(folder) == wanted:  # another process was first
            return False
        require_space(folder.parent, len(passages) * _BYTES_A_PASSAGE + 1_000_000)
        with written_aside(folder) as fresh:
            fresh.mkdir()
            _build(fresh, wanted, passages, embeddings, progress)
            (fresh / _MANIFEST).write_text(wanted.model_dump_json(indent=2), encoding="utf-8")
    return True


def open_index(folder: Path, wanted: Manifest, embeddings: Embeddings) -> Chroma:
    """Open the index in ``folder`` for reading.

    Raises:
        JindamError: there is none, or it was made by another embedding model or from other data.

    """
    found = read_manifest(folder)
    if found is None:
        raise _not_usable("학과 색인이 없습니다.", f"{folder}에 완성된 색인이 없습니다.")
    if found.embedding_model != wanted.embedding_model:
        raise _not_usable(
            "학과 색인을 다른 임베딩 모델이 만들었습니다.",
            f"색인은 {found.embedding_model}, 지금 설정은 {wanted.embedding_model}입니다.",
        )
    if found != wanted:
        raise _not_usable("학과 색인이 지금 자료와 맞지 않습니다.", "색인을 만든 뒤에 학과 자료나 색인 방식이 바뀌었습니다.")
    return _chroma(_client(folder), wanted.collection, embeddings)


def _not_usable(what: str, why: str) -> JindamError:
    return JindamError(what, why=why, fix="jindam index 를 실행하면 지금 자료와 설정으로 다시 만듭니다.")


def _build(folder: Path, manifest: Manifest, passages: list[Passage], embeddings: Embeddings, progress: Progress | None) -> None:
    with _closing_client(folder) as client:
        chroma = _chroma(client, manifest.collection, embeddings)
        for start in range(0, len(passages), _BATCH):
            batch = passages[start : start + _BATCH]
            chroma.add_texts(
                texts=[passage.embedded_text for passage in batch],
                ids=[passage.id for passage in batch],
                metadatas=[
                    {"major": passage.major, "category": passage.category, "section": passage.section.value, "text": passage.text}
                    for passage in batch
                ],
            )
            if progress:
                progress(start + len(batch), len(passages))


def _chroma(client: ClientAPI, collection: str, embeddings: Embeddings) -> Chroma:
    from langchain_chroma import Chroma

    return Chroma(
        client=client,
        collection_name=collection,
        embedding_function=embeddings,
        collection_configuration={"hnsw": {"space": "cosine"}},  # Chroma's own default is squared L2
    )


def _client(folder: Path) -> Client:
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    return cast("Client", chromadb.PersistentClient(str(folder), settings=ChromaSettings(anonymized_telemetry=False)))


@contextmanager
def _closing_client(folder: Path) -> Iterator[Client]:
    """A client whose files are complete and released afterwards, so that the folder can be moved."""
    client = _client(folder)
    try:
        yield client
    finally:
        client.close()
