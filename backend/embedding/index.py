"""The Chroma index of a collection: made what its contents are, verified by its manifest, opened for reading.

Only what changed is embedded again. An index is brought up to date in a folder beside its place and moved in whole: until then
the old one answers, a process that is killed leaves nothing that looks finished, and the next one goes on where it stopped. Two
processes that start at once build it once. On a Chroma server (``JINDAM_CHROMA_URL``) vectors are brought up to date in place,
and the manifest is written when they are.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import numpy as np
from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.embedding.contents import Contents, write_contents
from backend.embedding.discriminants import Discriminants
from backend.embedding.lexical import LexicalIndex
from backend.embedding.majors import Section, searched_passages_of
from backend.errors import JindamError
from backend.files import locked, require_space, written_aside

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from langchain_chroma import Chroma

_T = TypeVar("_T")

LAYOUT = 4
"""Raised when contents are cut or stored in another way, so that older indexes are built again."""

_MANIFEST = "manifest.json"
_BUILDING = "vectors"
_LETTERS = "letters"
_DISCRIMINANTS = "discriminants.npz"
_BATCH = 128
_READ = 10_000
_BYTES_A_VECTOR = 8_000  # vector, text, FTS and HNSW links, measured on our majors at about 5 kB

Progress = Callable[[int, int], None]
"""Called with (done, to do)."""


class Manifest(BaseModel):
    """What an index was made from. Equal manifests mean equal indexes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: int
    collection: str
    embedding_model: str
    server: str | None
    """Address of the Chroma server that holds the vectors; None where they lie beside the manifest."""
    data_sha256: str
    passages: int
    """Of majors."""
    chunks: int
    """Of own documents."""


@dataclass(frozen=True)
class Changes:
    """What bringing an index up to date came to."""

    embedded: int
    removed: int
    kept: int


@dataclass(frozen=True)
class Index:
    """An index that is open for reading."""

    majors: Chroma
    discriminants: Discriminants | None
    """Between the majors, in their order; None where there are none."""
    documents: Chroma
    document_letters: LexicalIndex | None
    """BM25 over the chunks, in their order; None where there are none."""


@dataclass(frozen=True)
class _Entry:
    id: str
    text: str
    metadata: dict[str, str]

    @property
    def sha256(self) -> str:
        told = "\0".join([self.text, *(f"{name}={value}" for name, value in self.metadata.items())])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def manifest_of(collection: str, contents: Contents, embedding_model: str, server: str | None = None) -> Manifest:
    """The manifest that an index of these contents must have."""
    passages, chunks = _passages(contents), _chunks(contents)
    digest = hashlib.sha256()
    for entry in (*passages, *chunks):
        digest.update(f"{entry.id}\0{entry.sha256}\0\0".encode())
    return Manifest(
        layout=LAYOUT,
        collection=collection,
        embedding_model=embedding_model,
        server=server,
        data_sha256=digest.hexdigest(),
        passages=len(passages),
        chunks=len(chunks),
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
    contents: Contents,
    embeddings: Embeddings,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
) -> Changes | None:
    """Make the index in ``folder`` the wanted one; None where it already was.

    Raises:
        JindamError: the disk is full or the server does not answer.

    """
    if not rebuild and _is_there(folder, wanted):
        return None
    with locked(folder):
        if not rebuild and _is_there(folder, wanted):  # another process was first
            return None
        building = folder.with_name(f".{folder.name}.building")
        if rebuild:
            shutil.rmtree(building, ignore_errors=True)
        found = None if rebuild else read_manifest(folder)
        if found is not None and (found.layout, found.embedding_model, found.server) != (
            LAYOUT,
            wanted.embedding_model,
            wanted.server,
        ):
            found = None
        _require_space(folder, wanted, copied=found is not None and not building.exists())
        for whole in building.glob(f"{_BUILDING}-*"):  # stopped between the last vector and the move
            whole.rename(building / _BUILDING)
        if not building.exists():
            _begin(building, folder, found)
        (building / _MANIFEST).unlink(missing_ok=True)
        vectors = building / _BUILDING
        with _closing_client(vectors, wanted.server) as client:
            changes = _bring_up_to_date(client, wanted, contents, embeddings, rebuild=rebuild, progress=progress)
            if contents.majors:
                _fit_discriminants(client.get_collection(wanted.collection), contents).save(building / _DISCRIMINANTS)
        vectors.rename(building / _vectors(wanted))
        shutil.rmtree(building / _LETTERS, ignore_errors=True)
        if contents.chunks:
            LexicalIndex([chunk.embedded_text for chunk in contents.chunks]).save(building / _LETTERS)
        write_contents(building, contents)
        (building / _MANIFEST).write_text(wanted.model_dump_json(indent=2), encoding="utf-8")
        with written_aside(folder) as fresh:
            building.rename(fresh)
    return changes


def open_index(folder: Path, wanted: Manifest, embeddings: Embeddings) -> Index:
    """Open the index in ``folder`` for reading.

    Raises:
        JindamError: there is none, it was made by another embedding model or from other data, or the server does not answer.

    """
    found = read_manifest(folder)
    if found is None or not (folder / _vectors(found)).is_dir():
        raise _not_usable("색인이 없습니다.", f"{folder}에 완성된 색인이 없습니다.")
    if found.embedding_model != wanted.embedding_model:
        raise _not_usable(
            "색인을 다른 임베딩 모델이 만들었습니다.",
            f"색인은 {found.embedding_model}, 지금 설정은 {wanted.embedding_model}입니다.",
        )
    if found != wanted:
        raise _not_usable("색인이 지금 자료와 맞지 않습니다.", "색인을 만든 뒤에 자료나 색인 방식, Chroma의 주소가 바뀌었습니다.")
    client = _client(folder / _vectors(wanted), wanted.server)
    if wanted.server and not _holds(client, wanted):
        raise _not_usable("Chroma 서버의 색인이 지금 자료와 맞지 않습니다.", "서버의 자료가 지워졌거나 다른 곳에서 바뀌었습니다.")
    return Index(
        majors=_chroma(client, wanted.collection, embeddings),
        discriminants=Discriminants.load(folder / _DISCRIMINANTS) if wanted.passages else None,
        documents=_chroma(client, _documents(wanted.collection), embeddings),
        document_letters=LexicalIndex.load(folder / _LETTERS) if wanted.chunks else None,
    )


def _passages(contents: Contents) -> list[_Entry]:
    return [
        _Entry(passage.id, passage.embedded_text, {"major": passage.major, "section": passage.section.value})
        for major in contents.majors
        for passage in searched_passages_of(major)
    ]


def _chunks(contents: Contents) -> list[_Entry]:
    return [_Entry(chunk.id, chunk.embedded_text, {"file": chunk.file, "place": chunk.place}) for chunk in contents.chunks]


def _documents(collection: str) -> str:
    return f"{collection}.documents"


def _not_usable(what: str, why: str) -> JindamError:
    return JindamError(what, why=why, fix="jindam index 를 실행하면 지금 자료와 설정으로 다시 만듭니다.")


def _is_there(folder: Path, wanted: Manifest) -> bool:
    if read_manifest(folder) != wanted or not (folder / _vectors(wanted)).is_dir():
        return False
    return wanted.server is None or _holds(_client(folder, wanted.server), wanted)


def _require_space(folder: Path, wanted: Manifest, *, copied: bool) -> None:
    needed = 0 if wanted.server else (wanted.passages + wanted.chunks) * _BYTES_A_VECTOR
    if copied:
        needed = max(needed, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
    require_space(folder.parent, needed + 1_000_000)


def _begin(building: Path, folder: Path, found: Manifest | None) -> None:
    """Start from the index that is there, so that only what changed is embedded."""
    with written_aside(building) as fresh:
        fresh.mkdir()
        if found:
            shutil.copytree(folder / _vectors(found), fresh / _BUILDING)
        else:
            (fresh / _BUILDING).mkdir()


def _vectors(manifest: Manifest) -> str:
    """The folder of Chroma's files. Its name goes with the data: Chroma keeps one client a path while the process lives."""
    return f"vectors-{manifest.data_sha256[:12]}"


def _bring_up_to_date(
    client: ClientAPI, wanted: Manifest, contents: Contents, embeddings: Embeddings, *, rebuild: bool, progress: Progress | None
) -> Changes:
    parts = [(wanted.collection, _passages(contents)), (_documents(wanted.collection), _chunks(contents))]
    if rebuild or _holds_another_space(client, wanted):
        for name, _ in parts:
            if name in {collection.name for collection in client.list_collections()}:
                client.delete_collection(name)
    plans: list[tuple[Chroma, list[_Entry], list[str]]] = []
    for name, entries in parts:
        chroma = _chroma(client, name, embeddings)
        _mark(client, name, wanted, whole=False)
        held = _held(client.get_collection(name))
        ids = {entry.id for entry in entries}
        fresh = [entry for entry in entries if held.get(entry.id) != entry.sha256]
        plans.append((chroma, fresh, [id_ for id_ in held if id_ not in ids]))
    to_do = sum(len(fresh) for _, fresh, _ in plans)
    done = 0
    for chroma, fresh, gone in plans:
        for some in _batches(gone):
            chroma.delete(list(some))
        for batch in _batches(fresh):
            chroma.add_texts(
                texts=[entry.text for entry in batch],
                ids=[entry.id for entry in batch],
                metadatas=[{**entry.metadata, "sha256": entry.sha256} for entry in batch],
            )
            done += len(batch)
            if progress:
                progress(done, to_do)
    _mark(client, wanted.collection, wanted, whole=True)
    return Changes(to_do, sum(len(gone) for *_, gone in plans), wanted.passages + wanted.chunks - to_do)


def _fit_discriminants(collection: Any, contents: Contents) -> Discriminants:
    """Each major's questions, or, where it has none, its sections."""
    row = {major.major: number for number, major in enumerate(contents.majors)}
    asked = {major.major for major in contents.majors if major.questions}
    vectors: list[Any] = []
    owners: list[int] = []
    ids = [
        entry.id
        for entry in _passages(contents)
        if (entry.metadata["major"] in asked) == (entry.metadata["section"] == Section.QUESTION)
    ]
    for batch in _batches(ids):
        rows = collection.get(ids=list(batch), include=["embeddings", "metadatas"])
        vectors.extend(rows["embeddings"])
        owners.extend(row[metadata["major"]] for metadata in rows["metadatas"])
    return Discriminants.fit(np.asarray(vectors, np.float32), owners, len(row))


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _held(collection: Any) -> dict[str, str]:
    """Id → hash of what is stored."""
    held: dict[str, str] = {}
    while True:
        rows = collection.get(include=["metadatas"], limit=_READ, offset=len(held))
        held.update((id_, metadata["sha256"]) for id_, metadata in zip(rows["ids"], rows["metadatas"], strict=True))
        if len(rows["ids"]) < _READ:
            return held


def _mark(client: ClientAPI, collection: str, wanted: Manifest, *, whole: bool) -> None:
    """Let the collection itself say whose vectors it holds and, when it is ``whole``, of which data: others may change it too."""
    told = {"embedding_model": wanted.embedding_model} | ({"data_sha256": wanted.data_sha256} if whole else {})
    client.get_collection(collection).modify(metadata=told)


def _marks(client: ClientAPI, wanted: Manifest) -> dict[str, Any]:
    for collection in client.list_collections():
        if collection.name == wanted.collection:
            return dict(collection.metadata or {})
    return {}


def _holds(client: ClientAPI, wanted: Manifest) -> bool:
    return bool(_marks(client, wanted).get("data_sha256") == wanted.data_sha256)


def _holds_another_space(client: ClientAPI, wanted: Manifest) -> bool:
    return bool(_marks(client, wanted).get("embedding_model", wanted.embedding_model) != wanted.embedding_model)


def _chroma(client: ClientAPI, collection: str, embeddings: Embeddings) -> Chroma:
    from langchain_chroma import Chroma

    return Chroma(
        client=client,
        collection_name=collection,
        embedding_function=embeddings,
        collection_configuration={"hnsw": {"space": "cosine"}},  # Chroma's own default is squared L2
    )


def _client(folder: Path, server: str | None) -> ClientAPI:
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    settings = ChromaSettings(anonymized_telemetry=False)
    if server is None:
        return chromadb.PersistentClient(str(folder), settings=settings)
    address = urlsplit(server)
    try:
        return chromadb.HttpClient(
            host=address.hostname or "", port=address.port or 8000, ssl=address.scheme == "https", settings=settings
        )
    except Exception as error:  # whatever the transport raises
        raise JindamError(
            f"Chroma 서버 {server}에 연결하지 못했습니다.",
            why=str(error).strip().splitlines()[0],
            fix="서버가 켜져 있는지(chroma run), JINDAM_CHROMA_URL이 맞는지 확인해 주세요.",
        ) from error


@contextmanager
def _closing_client(folder: Path, server: str | None) -> Iterator[ClientAPI]:
    """A client whose files are complete and released afterwards, so that the folder can be moved."""
    client = _client(folder, server)
    try:
        yield client
    finally:
        cast("Client", client).close()
