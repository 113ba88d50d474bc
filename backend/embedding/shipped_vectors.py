"""Vectors of the text we ship, committed beside it, so that the first start does not embed for minutes.

``vectors.npz`` holds ``model`` (the vector space's name), ``keys`` (the first 16 hex digits of each text's SHA-256) and
``vectors`` (float16, one row for each key). ``python -m backend.embedding.shipped_vectors`` makes it again after an edit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from backend.embedding.embedder import NamedEmbeddings
from backend.files import written_aside

FILE_NAME = "vectors.npz"


def text_key(text: str) -> str:
    """The name under which a text's vector is kept."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_vectors(file: Path, model_id: str) -> dict[str, NDArray[np.float32]]:
    """Vectors by :func:`text_key`; empty when the file is absent or of another vector space."""
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as archive:
        if str(archive["model"]) != model_id:
            return {}
        return dict(zip(archive["keys"].tolist(), archive["vectors"].astype(np.float32), strict=True))


def write_vectors(file: Path, embedder: NamedEmbeddings, texts: Iterable[str]) -> int:
    """Write the vectors of ``texts``, keeping those the file already has; returns how many were embedded anew."""
    known = read_vectors(file, embedder.model_id)
    wanted = {text_key(text): text for text in texts}
    missing = {key: text for key, text in wanted.items() if key not in known}
    if missing:
        fresh = embedder.embed_documents(list(missing.values()))
        known.update(zip(missing, np.asarray(fresh, np.float32), strict=True))
    keys = sorted(wanted)
    with written_aside(file) as path, path.open("wb") as out:
        np.savez(
            out,
            model=np.array(embedder.model_id),
            keys=np.array(keys, dtype="U16"),
            vectors=np.stack([known[key] for key in keys]).astype(np.float16),
        )
    return len(missing)


class WithShippedVectors(Embeddings):
    """An embedder that looks a passage up among the shipped vectors before it computes one."""

    def __init__(self, embedder: NamedEmbeddings, file: Path) -> None:
        """``file`` is read at once; vectors of another vector space are left aside."""
        self._embedder = embedder
        self._known = read_vectors(file, embedder.model_id)

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of a query."""
        return self._embedder.embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages, computed only where none is shipped."""
        missing = [text for text in texts if text_key(text) not in self._known]
        fresh = dict(zip(missing, self._embedder.embed_documents(missing), strict=True)) if missing else {}
        return [fresh[text] if text in fresh else self._known[text_key(text)].tolist() for text in texts]


def main() -> None:
    """Embed what is new in the shipped majors."""
    from backend.embedding.embedder import open_embedder
    from backend.embedding.majors import read_majors, searched_passages_of
    from backend.settings import get_settings

    folder = get_settings().data_folder / "majors"
    texts = [passage.embedded_text for major in read_majors(folder) for passage in searched_passages_of(major)]
    fresh = write_vectors(folder / FILE_NAME, open_embedder(get_settings()), texts)
    print(f"{len(texts)} passages, {fresh} embedded anew")  # noqa: T201


if __name__ == "__main__":
    main()
