"""Retrieval over the CareerNet majors: plain dense search, and what each part of ours adds. One run, one set of queries.

    python -m benchmarks.careernet_retrieval FOLDER_OF_CAREERNET_FILES data/retrieval/careernet_test.jsonl

The texts are CareerNet's own. Rows whose best majors the corpus does not hold are left out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.embedding.contents import Contents, gather
from backend.embedding.embedder import NamedEmbeddings
from backend.embedding.index import Index, ensure_index, manifest_of, open_index
from backend.embedding.majors import Major
from backend.embedding.retriever import Retriever
from backend.embedding.shipped_vectors import FILE_NAME, WithShippedVectors, text_key
from backend.jsonl import read_jsonl
from backend.resources import Resources
from backend.service.evaluate import RetrievalRow, _ndcg

Rank = Callable[[str, list[float]], list[str]]


class Remembering(WithShippedVectors):
    """Embeds a passage once for all variants."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages."""
        vectors = super().embed_documents(texts)
        self._known.update({text_key(text): np.asarray(vector) for text, vector in zip(texts, vectors, strict=True)})
        return vectors


def variants(ours: Sequence[Major]) -> dict[str, tuple[list[Major], Sequence[Major]]]:
    """Name → (what is attached to majors of the same name, whose words are searched too)."""

    def only(*attached: str) -> list[Major]:
        kept = {"major", "summary", "interest", "jobs", *attached}
        return [Major(**major.model_dump(include=kept)) for major in ours]

    return {
        "ours on CareerNet's texts alone": ([], ()),
        "+ our aliases and slang": (only("aliases", "slang"), ()),
        "+ our students' questions": (only("aliases", "slang", "questions"), ()),
        "+ our links between majors": (only("aliases", "slang", "questions", "related"), ()),
        "+ the words of our records": (list(ours), ours),
    }


def dense(index: Index, contents: Contents) -> Rank:
    """Majors by their nearest passage."""
    every = manifest_of("careernet", contents, "").passages

    def rank(_: str, vector: list[float]) -> list[str]:
        found = index.majors.similarity_search_by_vector(vector, k=min(every, 300))
        return list(dict.fromkeys(document.metadata["major"] for document in found))[:10]

    return rank


def measure(rank: Rank, rows: Sequence[RetrievalRow], held: set[str], embedder: NamedEmbeddings) -> tuple[float, int]:
    """Mean nDCG@10, and over how many queries."""
    scores = []
    for row in rows:
        gold = {name: grade for name, grade in row.gold.items() if name in held}
        if 2 in gold.values():
            scores.append(_ndcg(rank(row.query, embedder.embed_query(row.query)), gold))
    return sum(scores) / len(scores), len(scores)


def main() -> None:
    """Print the table."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read_jsonl(Path(sys.argv[2]), RetrievalRow, '{"query": "…", "gold": {"학과명": 2}}')
    resources = Resources()
    embedder = resources.embedder
    embeddings = Remembering(embedder, resources.settings.data_folder / "majors" / FILE_NAME)
    print("| | nDCG@10 |\n|---|---|")
    for number, (name, (attached, shipped)) in enumerate(variants(resources.majors).items()):
        contents, _ = gather([Path(sys.argv[1])], attached)
        contents = contents.model_copy(update={"chunks": ()})
        manifest = manifest_of("careernet", contents, embedder.model_id)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "careernet"
            ensure_index(place, manifest, contents, embeddings)
            index = open_index(place, manifest, embeddings)
            held = {major.major for major in contents.majors}
            if number == 0:
                figure, count = measure(dense(index, contents), rows, held, embedder)
                print(f"| plain dense search, nearest passage ({count} queries, {len(held)} majors) | {figure:.3f} |")
            figure, _ = measure(Retriever(contents, index, shipped).rank, rows, held, embedder)
            print(f"| {name} | {figure:.3f} |", flush=True)


if __name__ == "__main__":
    main()
