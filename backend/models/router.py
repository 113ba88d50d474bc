"""Telling what a message needs: facts, counsel, both, or neither.

A multinomial logistic regression over the message's E5 vector and its character n-grams, fitted from ``data/routing/``. It tells
four classes apart (facts only, counsel only, both, off topic); the probability that facts are needed is that of "facts only" plus
that of "both". Parameters are plain arrays in an ``.npz`` file: nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from backend.embedding.embedder import NamedEmbeddings
from backend.errors import JindamError
from backend.files import written_aside

FILE_NAME = "router.npz"
CLASSES = ("facts", "counsel", "both", "off_topic")

_NGRAMS = (1, 2, 3, 4)
_VECTOR_WEIGHT, _TEXT_WEIGHT = 5.0, 2.0
_REGULARISATION = 16.0
_UNSURE = 0.5
"""Probability of the best class below which both branches answer."""


class RoutingRow(BaseModel):
    """One labelled message."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str
    needs_facts: bool
    needs_counsel: bool
    off_topic: bool

    @model_validator(mode="after")
    def _one_or_the_other(self) -> RoutingRow:
        if self.off_topic == (self.needs_facts or self.needs_counsel):
            raise ValueError("off_topic must be true exactly when neither facts nor counsel is needed")
        return self

    @property
    def label(self) -> str:
        """The row's class."""
        if self.off_topic:
            return "off_topic"
        if self.needs_facts and self.needs_counsel:
            return "both"
        return "facts" if self.needs_facts else "counsel"


@dataclass(frozen=True)
class Decision:
    """Where a message should go, and why."""

    route: Literal["rag", "finetune", "both", "off_topic"]
    confidence: float
    facts: float
    counsel: float
    off_topic: float
    reason: str


class Router:
    """A fitted router. Thread-safe."""

    def __init__(
        self,
        *,
        embedding_model: str,
        data_sha256: str,
        ngrams: Sequence[str],
        idf: NDArray[np.float32],
        vector_weights: NDArray[np.float32],
        ngram_weights: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        """``vector_weights`` is (dimensions, 4), ``ngram_weights`` (n-grams, 4), ``bias`` (4,)."""
        self.embedding_model = embedding_model
        self.data_sha256 = data_sha256
        self._ngrams = {ngram: row for row, ngram in enumerate(ngrams)}
        self._idf = idf
        self._vector_weights = vector_weights
        self._ngram_weights = ngram_weights
        self._bias = bias

    def probabilities(self, query: str, vector: Sequence[float]) -> NDArray[np.float64]:
        """Probabilities of :data:`CLASSES`, shape (4,)."""
        logits = self._bias + np.asarray(vector, np.float32) * _VECTOR_WEIGHT @ self._vector_weights
        rows, values = _tfidf(query, self._ngrams, self._idf)
        if rows:
            logits = logits + np.asarray(values, np.float32) * _TEXT_WEIGHT @ self._ngram_weights[rows]
        exponents = np.exp((logits - logits.max()).astype(np.float64))
        probabilities: NDArray[np.float64] = exponents / exponents.sum()
        return probabilities

    def decide(self, query: str, vector: Sequence[float]) -> Decision:
        """The route of a message; unsure means both branches, never a guess."""
        facts_only, counsel_only, both, off_topic = self.probabilities(query, vector).tolist()
        best = max(facts_only, counsel_only, both, off_topic)
        facts, counsel = facts_only + both, counsel_only + both
        route: Literal["rag", "finetune", "both", "off_topic"]
        if best < _UNSURE and off_topic < best:
            route = "both"
        elif best == off_topic:
            route = "off_topic"
        elif best == both:
            route = "both"
        else:
            route = "rag" if best == facts_only else "finetune"
        return Decision(
            route=route,
            confidence=round(best, 4),
            facts=round(facts, 4),
            counsel=round(counsel, 4),
            off_topic=round(off_topic, 4),
            reason=_reason(route, best, facts, counsel, off_topic),
        )

    def save(self, file: Path) -> None:
        """Write the parameters."""
        with written_aside(file) as path, path.open("wb") as out:
            np.savez_compressed(
                out,
                embedding_model=np.array(self.embedding_model),
                data_sha256=np.array(self.data_sha256),
                ngrams=np.array(list(self._ngrams)),
                idf=self._idf,
                vector_weights=self._vector_weights,
                ngram_weights=self._ngram_weights,
                bias=self._bias,
            )

    @classmethod
    def load(cls, file: Path) -> Router:
        """Read the parameters that :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as archive:
            return cls(
                embedding_model=str(archive["embedding_model"]),
                data_sha256=str(archive["data_sha256"]),
                ngrams=archive["ngrams"].tolist(),
                idf=archive["idf"],
                vector_weights=archive["vector_weights"],
                ngram_weights=archive["ngram_weights"],
                bias=archive["bias"],
            )


def _reason(route: str, best: float, facts: float, counsel: float, off_topic: float) -> str:
    shares = f"사실 확인 {facts:.0%}, 상담 {counsel:.0%}, 주제 밖 {off_topic:.0%}"
    match route:
        case "rag":
            return f"학과·직업 정보를 찾는 질문으로 보았습니다 ({shares})."
        case "finetune":
            return f"고민을 나누는 이야기로 보았습니다 ({shares})."
        case "off_topic":
            return f"진로나 고민과 관계없는 이야기로 보았습니다 ({shares})."
        case _ if best < _UNSURE:
            return f"어느 쪽인지 확실하지 않아 두 가지로 모두 답합니다 ({shares})."
        case _:
            return f"정보도 찾고 고민도 나누는 글로 보았습니다 ({shares})."


def _char_ngrams(text: str) -> Counter[str]:
    """Character n-grams of each word, a space at either end, so that 과는 inside and at the end of a word differ."""
    grams: Counter[str] = Counter()
    for word in text.lower().split():
        padded = f" {word} "
        for n in _NGRAMS:
            grams.update(padded[i : i + n] for i in range(len(padded) - n + 1))
    return grams


def _tfidf(text: str, vocabulary: dict[str, int], idf: NDArray[np.float32]) -> tuple[list[int], list[float]]:
    """Rows and unit-length values, tf as 1 + log(count)."""
    weights = {
        vocabulary[gram]: (1.0 + math.log(count)) * float(idf[vocabulary[gram]])
        for gram, count in _char_ngrams(text).items()
        if gram in vocabulary
    }
    norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return list(weights), [weight / norm for weight in weights.values()]


def read_rows(file: Path) -> list[RoutingRow]:
    """Labelled messages of a JSONL file.

    Raises:
        JindamError: a line is not a row; the message names it.

    """
    rows = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise JindamError(
            f"파일을 읽을 수 없습니다: {file}", why=error.strerror or str(error), fix="경로를 확인해 주세요."
        ) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(RoutingRow.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                raise JindamError(
                    f"{file.name} {number}번째 줄을 읽을 수 없습니다.",
                    why=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                    fix='{"query": "…", "needs_facts": true, "needs_counsel": false, "off_topic": false} 형식인지 확인해 주세요.',
                ) from error
    return rows


def rows_sha256(rows: Iterable[RoutingRow]) -> str:
    """The hash of what a router is fitted from."""
    return hashlib.sha256(json.dumps([row.model_dump() for row in rows], ensure_ascii=False).encode()).hexdigest()


def fit_router(rows: Sequence[RoutingRow], embedder: NamedEmbeddings) -> Router:
    """Fit a router to labelled messages (needs scikit-learn; about 12 ms a row to embed).

    Raises:
        JindamError: scikit-learn is not installed.

    """
    try:
        import scipy.sparse
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise JindamError(
            "질문 분류기를 지금 임베딩 모델에 맞게 다시 맞출 수 없습니다.",
            why="scikit-learn이 설치되어 있지 않습니다.",
            fix="pip install 'jindam[hf]' -c constraints.txt 로 설치해 주세요.",
        ) from error
    vectors = np.asarray([embedder.embed_query(row.query) for row in rows], np.float32)
    documents = [_char_ngrams(row.query) for row in rows]
    frequency = Counter(gram for document in documents for gram in document)
    ngrams = sorted(gram for gram, count in frequency.items() if count >= 2)
    vocabulary = {gram: row for row, gram in enumerate(ngrams)}
    idf = np.array([math.log((1 + len(rows)) / (1 + frequency[gram])) + 1 for gram in ngrams], np.float32)

    indices, values, pointers = [], [], [0]
    for row in rows:
        columns, weights = _tfidf(row.query, vocabulary, idf)
        indices += columns
        values += weights
        pointers.append(len(indices))
    text = scipy.sparse.csr_matrix((values, indices, pointers), shape=(len(rows), len(ngrams)))
    features = scipy.sparse.hstack([scipy.sparse.csr_matrix(vectors * _VECTOR_WEIGHT), text * _TEXT_WEIGHT]).tocsr()
    labels = np.array([CLASSES.index(row.label) for row in rows])
    model = LogisticRegression(C=_REGULARISATION, max_iter=3000).fit(features, labels)

    weights_by_feature = model.coef_.T.astype(np.float32)
    dimensions = vectors.shape[1]
    return Router(
        embedding_model=embedder.model_id,
        data_sha256=rows_sha256(rows),
        ngrams=ngrams,
        idf=idf,
        vector_weights=weights_by_feature[:dimensions],
        ngram_weights=weights_by_feature[dimensions:],
        bias=model.intercept_.astype(np.float32),
    )


def open_router(data_folder: Path, home: Path, embedder: NamedEmbeddings) -> Router:
    """The shipped router, or, for another embedding model, one fitted to it once and kept in ``home``.

    Raises:
        JindamError: a router must be fitted and scikit-learn is not installed.

    """
    shipped = Router.load(data_folder / "routing" / FILE_NAME)
    if shipped.embedding_model == embedder.model_id:
        return shipped
    key = hashlib.sha256(f"{embedder.model_id}\0{shipped.data_sha256}".encode()).hexdigest()[:16]
    file = home / "router" / key / FILE_NAME
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        fit_router(read_rows(data_folder / "routing" / "train.jsonl"), embedder).save(file)
    return Router.load(file)


def main() -> None:
    """Fit the shipped router again, after an edit of data/routing/train.jsonl."""
    from backend.embedding.embedder import open_embedder
    from backend.settings import get_settings

    folder = get_settings().data_folder / "routing"
    rows = read_rows(folder / "train.jsonl")
    fit_router(rows, open_embedder(get_settings())).save(folder / FILE_NAME)
    print(f"fitted to {len(rows)} rows")  # noqa: T201


if __name__ == "__main__":
    main()
