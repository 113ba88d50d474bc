"""Telling what a message needs: facts, counsel, both, or neither.

Four support vector machines (facts only, counsel only, both, off topic; each against the rest) over the message's E5 vector
(a Gaussian kernel) and its character n-grams (a linear one), fitted from ``data/routing/``. A multinomial logistic regression
over their outputs, fitted to writers that the machines had not seen, makes probabilities of them. Parameters are plain arrays
in an ``.npz`` file: nothing is unpickled.

The probability that facts are needed is that of "facts only" plus that of "both"; likewise for counsel.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from backend.embedding.embedder import NamedEmbeddings
from backend.errors import JindamError
from backend.files import written_aside
from backend.jsonl import read_jsonl

FILE_NAME = "router.npz"
CLASSES = ("facts", "counsel", "both", "off_topic")

_NGRAM_LENGTHS = range(1, 6)
_NGRAM_WEIGHT = 3.0
"""Weight of the n-gram kernel beside the Gaussian kernel; chosen by leaving one writer of the training rows out at a time."""
_PENALTY = 4.0
_FOLDS = 5
_UNSURE = 0.5
"""Probability of the best class below which both branches answer."""

Array = NDArray[np.float32]


class RoutingRow(BaseModel):
    """One labelled message."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str
    needs_facts: bool
    needs_counsel: bool
    off_topic: bool
    writer: str = ""
    """Who wrote it; rows of one writer are alike, so calibration never tests on a writer it was fitted to."""

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


@dataclass(frozen=True)
class _Machines:
    """What four machines over one set of rows have learnt. ``s`` support rows, ``d`` dimensions, ``v`` n-grams."""

    mean: Array
    """(d,) of the training vectors."""
    scale: Array
    """(d,) one over their standard deviation, over the square root of d: kernel exp(-|x - y|²)."""
    support: Array
    """(s, d) scaled vectors."""
    dual: Array
    """(s, 4) weight of each support row for each class."""
    ngrams: list[str]
    idf: Array
    """(v,)"""
    ngram_weights: Array
    """(v, 4)"""
    intercept: Array
    """(4,)"""

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {ngram: row for row, ngram in enumerate(self.ngrams)}

    def outputs(self, query: str, vector: Sequence[float]) -> Array:
        """Signed distances to the four boundaries, shape (4,)."""
        scaled = (np.asarray(vector, np.float32) - self.mean) * self.scale
        kernel = np.exp(-((self.support - scaled) ** 2).sum(axis=1))
        outputs: Array = kernel @ self.dual + self.intercept
        rows, values = _tfidf(query, self._rows, self.idf)
        if rows:
            outputs = outputs + np.asarray(values, np.float32) @ self.ngram_weights[rows]
        return outputs


class Router:
    """A fitted router. Thread-safe."""

    def __init__(self, machines: _Machines, calibration: Array, bias: Array, *, embedding_model: str, data_sha256: str) -> None:
        """``calibration`` is (4, 4) and ``bias`` (4,): outputs to logits."""
        self.embedding_model = embedding_model
        self.data_sha256 = data_sha256
        self._machines = machines
        self._calibration = calibration
        self._bias = bias

    def probabilities(self, query: str, vector: Sequence[float]) -> NDArray[np.float64]:
        """Probabilities of :data:`CLASSES`, shape (4,)."""
        logits = (self._machines.outputs(query, vector) @ self._calibration + self._bias).astype(np.float64)
        exponents = np.exp(logits - logits.max())
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
        """Write the parameters; the large arrays as float16, which changes no decision."""
        arrays = {field.name: getattr(self._machines, field.name) for field in fields(self._machines)}
        for name in ("support", "dual", "ngram_weights"):
            arrays[name] = arrays[name].astype(np.float16)
        with written_aside(file) as path, path.open("wb") as out:
            np.savez_compressed(
                out,
                **{**arrays, "ngrams": np.array(arrays["ngrams"])},
                calibration=self._calibration,
                bias=self._bias,
                embedding_model=np.array(self.embedding_model),
                data_sha256=np.array(self.data_sha256),
            )

    @classmethod
    def load(cls, file: Path) -> Router:
        """Read the parameters that :meth:`save` wrote."""
        with np.load(file, allow_pickle=False) as archive:
            arrays = {field.name: archive[field.name] for field in fields(_Machines)}
            arrays = {name: array if name == "ngrams" else array.astype(np.float32) for name, array in arrays.items()}
            return cls(
                _Machines(**{**arrays, "ngrams": arrays["ngrams"].tolist()}),
                archive["calibration"],
                archive["bias"],
                embedding_model=str(archive["embedding_model"]),
                data_sha256=str(archive["data_sha256"]),
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
    """Character n-grams of the text, words one space apart; they run across words, so that word order counts."""
    plain = " ".join(text.lower().split())
    return Counter(plain[i : i + n] for n in _NGRAM_LENGTHS for i in range(len(plain) - n + 1))


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
        JindamError: the file cannot be read or a line is not a row.

    """
    return read_jsonl(file, RoutingRow, '{"query": "…", "needs_facts": true, "needs_counsel": false, "off_topic": false}')


def rows_sha256(rows: Iterable[RoutingRow]) -> str:
    """The hash of what a router is fitted from."""
    return hashlib.sha256(json.dumps([row.model_dump() for row in rows], ensure_ascii=False).encode()).hexdigest()


def fit_router(rows: Sequence[RoutingRow], embedder: NamedEmbeddings) -> Router:
    """Fit a router to labelled messages (needs scikit-learn).

    Raises:
        JindamError: scikit-learn is not installed.

    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold, StratifiedKFold
    except ImportError as error:
        raise JindamError(
            "질문 분류기를 지금 임베딩 모델에 맞게 다시 맞출 수 없습니다.",
            why="scikit-learn이 설치되어 있지 않습니다.",
            fix="pip install 'jindam[hf]' -c constraints.txt 로 설치해 주세요.",
        ) from error
    queries = [row.query for row in rows]
    vectors = np.asarray([embedder.embed_query(query) for query in queries], np.float32)
    labels = np.array([CLASSES.index(row.label) for row in rows])
    writers = [row.writer for row in rows]
    if len(set(writers)) >= _FOLDS:
        folds = GroupKFold(_FOLDS).split(vectors, labels, writers)
    else:
        folds = StratifiedKFold(2, shuffle=True, random_state=0).split(vectors, labels)

    unseen = np.zeros((len(rows), len(CLASSES)), np.float32)
    for known, held_out in folds:
        machines = _fit_machines([queries[i] for i in known], vectors[known], labels[known])
        unseen[held_out] = [machines.outputs(queries[i], vectors[i].tolist()) for i in held_out]
    calibration = LogisticRegression(C=10.0, max_iter=1000).fit(unseen, labels)
    return Router(
        _fit_machines(queries, vectors, labels),
        calibration.coef_.T.astype(np.float32),
        calibration.intercept_.astype(np.float32),
        embedding_model=embedder.model_id,
        data_sha256=rows_sha256(rows),
    )


def _fit_machines(queries: Sequence[str], vectors: Array, labels: NDArray[np.int64]) -> _Machines:
    import scipy.sparse
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.svm import SVC

    documents = [_char_ngrams(query) for query in queries]
    frequency = Counter(ngram for document in documents for ngram in document)
    ngrams = sorted(ngram for ngram, count in frequency.items() if count >= 2)
    columns = {ngram: column for column, ngram in enumerate(ngrams)}
    idf = np.array([math.log((1 + len(queries)) / (1 + frequency[ngram])) + 1 for ngram in ngrams], np.float32)
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    for query in queries:
        row_columns, row_values = _tfidf(query, columns, idf)
        indices += row_columns
        values += row_values
        ends.append(len(indices))
    text = scipy.sparse.csr_matrix((values, indices, ends), shape=(len(queries), len(ngrams)))

    mean = vectors.mean(axis=0)
    scale = 1.0 / (vectors.std(axis=0) + 1e-6) / math.sqrt(vectors.shape[1])
    scaled = (vectors - mean) * scale
    kernel = rbf_kernel(scaled, gamma=1.0) + _NGRAM_WEIGHT * (text @ text.T).toarray()

    dual = np.zeros((len(queries), len(CLASSES)), np.float32)
    intercept = np.zeros(len(CLASSES), np.float32)
    for label in range(len(CLASSES)):
        machine = SVC(C=_PENALTY, kernel="precomputed").fit(kernel, labels == label)
        dual[machine.support_, label] = machine.dual_coef_[0]
        intercept[label] = machine.intercept_[0]
    used = np.flatnonzero(np.abs(dual).max(axis=1))
    return _Machines(
        mean=mean,
        scale=scale.astype(np.float32),
        support=scaled[used].astype(np.float32),
        dual=dual[used],
        ngrams=ngrams,
        idf=idf,
        ngram_weights=np.asarray(_NGRAM_WEIGHT * (text.T @ dual), np.float32),
        intercept=intercept,
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
