"""What our aliases and questions add when they are attached, by name, to another corpus: the CareerNet majors.

    python -m benchmarks.careernet_gain FOLDER_OF_CAREERNET_FILES data/retrieval/test.jsonl

The texts are CareerNet's own; only names that the corpus holds are gold. Both figures come from one run.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from backend.embedding.index import ensure_index, manifest_of, open_index
from backend.embedding.majors import Major, passages_of
from backend.embedding.retriever import MajorRetriever
from backend.embedding.shipped_vectors import FILE_NAME, WithShippedVectors, text_key
from backend.resources import Resources
from backend.service.evaluate import _ndcg


def read_careernet(folder: Path) -> dict[str, dict[str, str]]:
    """Raw rows by major, of the CSV files and of the medical majors in ``history/``."""
    rows: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as source:
            for row in csv.DictReader(source):
                rows.setdefault(row["major"], row)
    for file in sorted((folder / "history").glob("*의약*.json")):
        for row in json.loads(file.read_text(encoding="utf-8")):
            rows.setdefault(row["major"], row)
    return rows


def as_major(row: dict[str, str], ours: Major | None) -> Major:
    """CareerNet's texts in our record; with ``ours``, also its aliases, slang, questions and related majors."""
    return Major(
        major=row["major"],
        field="인문",  # the corpus's fields are wrong for two of seven files, and nothing here reads them
        summary=row["summary"],
        interest=row["interest"],
        curriculum={"특성": row["property"]},
        jobs=[job.strip() for job in row["job"].split(",") if job.strip()],
        qualifications=[name.strip() for name in (row["qualifications"] or "").split(",") if name.strip()],
        **(ours.model_dump(include={"aliases", "slang", "questions", "related"}) if ours else {}),
    )


class Remembering(WithShippedVectors):
    """Embeds a passage once for both runs."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of passages."""
        vectors = super().embed_documents(texts)
        self._known.update({text_key(text): np.asarray(vector) for text, vector in zip(texts, vectors, strict=True)})
        return vectors


def measure(resources: Resources, embeddings: Remembering, majors: list[Major], queries: Iterable[dict]) -> float:  # type: ignore[type-arg]
    """Mean nDCG@10 over the queries whose best majors the corpus holds."""
    passages = [passage for major in majors for passage in passages_of(major)]
    manifest = manifest_of("careernet", passages, resources.embedder.model_id)
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "careernet"
        ensure_index(index, manifest, passages, embeddings)
        retriever = MajorRetriever(majors, open_index(index, manifest, embeddings))
        held = {major.major for major in majors}
        scores = []
        for query in queries:
            gold = {name: grade for name, grade in query["gold"].items() if name in held}
            if 2 in gold.values():
                scores.append(_ndcg(retriever.rank(query["query"], resources.embedder.embed_query(query["query"])), gold))
    print(f"  {len(majors)} majors, {len(passages)} passages, {len(scores)} queries")
    return sum(scores) / len(scores)


def main() -> None:
    """Print nDCG@10 without and with what is attached."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read_careernet(Path(sys.argv[1]))
    queries = [json.loads(line) for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()]
    resources = Resources()
    embeddings = Remembering(resources.embedder, resources.settings.data_folder / "majors" / FILE_NAME)
    ours = {major.major: major for major in resources.majors}
    for name, attached in (("CareerNet alone", {}), ("with our aliases, questions, links", ours)):
        majors = [as_major(row, attached.get(major)) for major, row in rows.items()]
        print(f"{name}: nDCG@10 {measure(resources, embeddings, majors, queries):.4f}")


if __name__ == "__main__":
    main()
