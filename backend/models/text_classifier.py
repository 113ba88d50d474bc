"""A small text classifier over a message's E5 vector and its characters; the router and the crisis screen are built on it.

For each class (against the rest) a support vector machine with a Gaussian kernel reads the vector, and a logistic regression
reads the text's character n-grams. A multinomial logistic regression over all their outputs, fitted to writers that they had
not seen, makes probabilities of them. Parameters are plain arrays in an ``.npz`` file: nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from backend.embedding.embedder import NamedEmbeddings
from backend.errors import JindamError
from backend.files import written_aside

_NGRAM_LENGTHS = range(1, 6)
_VECTOR_PENALTY = 4.0
_TEXT_PENALTY = 10.0
_FOLDS = 5

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Machines:
    """What the machines of ``c`` classes have learnt. ``s`` support rows, ``d`` dimensions, ``v`` n-grams."""

    mean: Array
    """(d,) of the training vectors."""
    scale: Array
    """(d,) one over their standard deviation, over the square root of d: kernel exp(-|x - y|²)."""
    support: Array
    """(s, d) scaled vectors."""
    dual: Array
    """(s, c) weight of each support row for each class."""
    dual_intercept: Array
    """(c,)"""
    ngrams: list[str]
    idf: Array
    """(v,)"""
    ngram_weights: Array
    """(v, c)"""
    ngram_intercept: Array
    """(c,)"""

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {ngram: row for row, ngram in enumerate(self.ngrams)}

    def outputs(self, text: str, vector: Sequence[float]) -> Array:
        """Signed distances to the classes' boundaries, by the vector and by the n-grams, shape (2c,)."""
        scaled = (np.asarray(vector, np.float32) - self.mean) * self.scale
        distances = self._squares - 2.0 * (self.support @ scaled) + float(scaled @ scaled)
        by_vector = np.exp(-distances) @ self.dual + self.dual_intercept
        rows, values = _tfidf(text, self._rows, self.idf)
        by_text = self.ngram_intercept
        if rows:
            by_text = by_text + np.asarray(values, np.float32) @ self.ngram_weights[rows]
        both: Array = np.concatenate([by_vector, by_text]).astype(np.float32)
        return both

    @cached_property
    def _squares(self) -> Array:
        squares: Array = np.einsum("ij,ij->i", self.support, self.support)
        return squares


class TextClassifier:
    """A fitted classifier. Thread-safe."""

    def __init__(self, machines: _Machines, calibration: Array, bias: Array, *, embedding_model: str, data_sha256: str) -> None:
        """``calibration`` is (2c, c) and ``bias`` (c,): outputs to logits."""
        self.embedding_model = embedding_model
        self.data_sha256 = data_sha256
        self._machines = machines
        self._calibration = calibration
        self._bias = bias

    def probabilities(self, text: str, vector: Sequence[float]) -> NDArray[np.float64]:
        """Probabilities of the classes in the order they were fitted in, shape (c,)."""
        logits = (self._machines.outputs(text, vector) @ self._calibration + self._bias).astype(np.float64)
        exponents = np.exp(logits - logits.max())
        probabilities: NDArray[np.float64] = exponents / exponents.sum()
        return probabilities

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
    def load(cls, file: Path) -> TextClassifier:
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


def fit(
    texts: Sequence[str],
    labels: Sequence[int],
    writers: Sequence[str],
    embedder: NamedEmbeddings,
    *,
    data_sha256: str,
) -> TextClassifier:
    """Fit a classifier (needs scikit-learn); ``labels`` count from 0, ``writers`` say who wrote each text.

    Raises:
        JindamError: scikit-learn is not installed.

    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise scikit_learn_missing() from error
    vectors = np.asarray([embedder.embed_query(text) for text in texts], np.float32)
    targets = np.asarray(labels, np.int64)
    unseen = np.zeros((len(texts), 2 * (int(targets.max()) + 1)), np.float32)
    for known, held_out in held_out_folds(targets, writers):
        machines = _fit_machines([texts[i] for i in known], vectors[known], targets[known])
        unseen[held_out] = [machines.outputs(texts[i], vectors[i].tolist()) for i in held_out]
    calibration = LogisticRegression(C=1.0, max_iter=2000).fit(unseen, targets)
    weights, bias = calibration.coef_, calibration.intercept_
    if len(weights) == 1:  # scikit-learn gives two classes one row: the second against the first
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    return TextClassifier(
        _fit_machines(texts, vectors, targets),
        weights.T.astype(np.float32),
        bias.astype(np.float32),
        embedding_model=embedder.model_id,
        data_sha256=data_sha256,
    )


def open_fitted(shipped: Path, home: Path, embedder: NamedEmbeddings, refit: Callable[[], TextClassifier]) -> TextClassifier:
    """The ``shipped`` classifier, or, for another embedding model, what ``refit`` makes, once, kept below ``home``.

    Raises:
        JindamError: it must be fitted and scikit-learn is not installed.

    """
    classifier = TextClassifier.load(shipped)
    if classifier.embedding_model == embedder.model_id:
        return classifier
    key = hashlib.sha256(f"{embedder.model_id}\0{classifier.data_sha256}".encode()).hexdigest()[:16]
    file = home / key / shipped.name
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        refit().save(file)
    return TextClassifier.load(file)


def scikit_learn_missing() -> JindamError:
    """What to say where a classifier must be fitted and cannot be."""
    return JindamError(
        "분류기를 지금 임베딩 모델에 맞게 다시 맞출 수 없습니다.",
        why="scikit-learn이 설치되어 있지 않습니다.",
        fix="pip install 'jindam[hf]' -c constraints.txt 로 설치해 주세요.",
    )


def held_out_folds(labels: NDArray[np.int64], writers: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Pairs of (known, held out) row numbers; no writer is on both sides, where there are writers enough."""
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    if len(set(writers)) >= _FOLDS:
        yield from GroupKFold(_FOLDS).split(labels, labels, writers)
    else:
        yield from StratifiedKFold(2, shuffle=True, random_state=0).split(labels, labels)


def _fit_machines(texts: Sequence[str], vectors: Array, labels: NDArray[np.int64]) -> _Machines:
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics.pairwise import rbf_kernel
    from sklearn.svm import SVC

    documents = [_char_ngrams(text) for text in texts]
    frequency = Counter(ngram for document in documents for ngram in document)
    ngrams = sorted(ngram for ngram, count in frequency.items() if count >= 2)
    columns = {ngram: column for column, ngram in enumerate(ngrams)}
    idf = np.array([math.log((1 + len(texts)) / (1 + frequency[ngram])) + 1 for ngram in ngrams], np.float32)
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    for text in texts:
        row_columns, row_values = _tfidf(text, columns, idf)
        indices += row_columns
        values += row_values
        ends.append(len(indices))
    features = scipy.sparse.csr_matrix((values, indices, ends), shape=(len(texts), len(ngrams)))

    mean = vectors.mean(axis=0)
    scale = 1.0 / (vectors.std(axis=0) + 1e-6) / math.sqrt(vectors.shape[1])
    scaled = (vectors - mean) * scale
    kernel = rbf_kernel(scaled, gamma=1.0)

    classes = int(labels.max()) + 1
    dual = np.zeros((len(texts), classes), np.float32)
    dual_intercept, ngram_intercept = np.zeros(classes, np.float32), np.zeros(classes, np.float32)
    ngram_weights = np.zeros((len(ngrams), classes), np.float32)
    for label in range(classes):
        machine = SVC(C=_VECTOR_PENALTY, kernel="precomputed").fit(kernel, labels == label)
        dual[machine.support_, label] = machine.dual_coef_[0]
        dual_intercept[label] = machine.intercept_[0]
        regression = LogisticRegression(C=_TEXT_PENALTY, solver="liblinear").fit(features, labels == label)
        ngram_weights[:, label] = regression.coef_[0]
        ngram_intercept[label] = regression.intercept_[0]
    used = np.flatnonzero(np.abs(dual).max(axis=1))
    return _Machines(
        mean=mean,
        scale=scale.astype(np.float32),
        support=scaled[used].astype(np.float32),
        dual=dual[used],
        dual_intercept=dual_intercept,
        ngrams=ngrams,
        idf=idf,
        ngram_weights=ngram_weights,
        ngram_intercept=ngram_intercept,
    )


def _char_ngrams(text: str) -> Counter[str]:
    """Character n-grams of the text, words one space apart; they run across words, so that word order counts."""
    plain = " ".join(text.lower().split())
    return Counter(plain[i : i + n] for n in _NGRAM_LENGTHS for i in range(len(plain) - n + 1))


def _tfidf(text: str, vocabulary: dict[str, int], idf: Array) -> tuple[list[int], list[float]]:
    """Rows and unit-length values, tf as 1 + log(count)."""
    weights = {
        vocabulary[gram]: (1.0 + math.log(count)) * float(idf[vocabulary[gram]])
        for gram, count in _char_ngrams(text).items()
        if gram in vocabulary
    }
    norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return list(weights), [weight / norm for weight in weights.values()]


def sha256_of(rows: Iterable[BaseModel]) -> str:
    """The hash of the rows that a classifier is fitted from."""
    return hashlib.sha256(json.dumps([row.model_dump() for row in rows], ensure_ascii=False).encode()).hexdigest()
