"""The learnt half of the crisis screen: what no pattern can tell.

A :class:`~backend.models.text_classifier.TextClassifier` over the kinds of danger and "none", fitted from ``data/safety/`` and,
as further examples of "none", from ``data/routing/`` and from what people without ``risk`` say in ``data/counseling/``: worries,
which are the hardest to tell from danger, and most of what a counselling page is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from backend.embedding.embedder import NamedEmbeddings
from backend.jsonl import read_jsonl
from backend.models import router, text_classifier
from backend.models.risk_text import plain
from backend.models.text_classifier import TextClassifier, sha256_of

FILE_NAME = "risk.npz"
KINDS = ("suicide", "self_harm", "abuse", "violence", "harm_to_others", "eating", "panic")
CLASSES = ("none", *KINDS)

_CRISIS_KINDS = ("suicide", "self_harm", "abuse", "harm_to_others")
_HELP = 0.4
"""Probability of any danger from which help is shown. Lower than a half because a third of the examples of "none" are worries, more
than in the messages that come: at .4 help is shown to .05 of the worries of data/counseling/validation.jsonl that hold no risk."""
_CRISIS = 0.9
"""Probability from which it stands before everything else. Below it help is offered beside a normal answer."""


class SafetyRow(BaseModel):
    """One labelled message."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    crisis: bool
    """Help should be shown to whoever writes this."""
    kind: str | None = None
    level: Literal["none", "concern", "crisis"] | None = None
    about: Literal["self", "other"] | None = None
    subtle: bool | None = None
    """No plain danger word is in it."""
    family: str | None = None
    """Why a row without danger is tempting."""
    writer: str = ""

    @model_validator(mode="after")
    def _kinds_are_known(self) -> SafetyRow:
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if self.kind is not None and not self.crisis:
            raise ValueError("a row without danger has no kind")
        return self

    @property
    def label(self) -> str:
        """The row's class."""
        return (self.kind or "suicide") if self.crisis else "none"


@dataclass(frozen=True)
class Judged:
    """What the classifier takes a message for."""

    level: Literal["concern", "crisis"]
    kind: str
    probability: float


class RiskClassifier:
    """A fitted classifier. Thread-safe."""

    def __init__(self, classifier: TextClassifier) -> None:
        """``classifier`` was fitted to :data:`CLASSES`."""
        self.embedding_model = classifier.embedding_model
        self.data_sha256 = classifier.data_sha256
        self._classifier = classifier

    def judge(self, text: str, vector: Sequence[float]) -> Judged | None:
        """The likeliest kind of danger, if there is any."""
        probabilities = self._classifier.probabilities(plain(text), vector)
        danger = 1.0 - float(probabilities[0])
        if danger < _HELP:
            return None
        kind = KINDS[int(np.argmax(probabilities[1:]))]
        return Judged("crisis" if danger >= _CRISIS and kind in _CRISIS_KINDS else "concern", kind, danger)


class _Message(BaseModel):
    role: str
    content: str


class _Dialogue(BaseModel):
    messages: list[_Message]
    risk: bool | None = None
    writer: str = ""


def read_safety_rows(file: Path) -> list[SafetyRow]:
    """Labelled messages of a JSONL file.

    Raises:
        JindamError: the file cannot be read or a line is not a row.

    """
    return read_jsonl(file, SafetyRow, '{"text": "…", "crisis": true, "kind": "suicide"}')


def fit_risk_classifier(data_folder: Path, embedder: NamedEmbeddings) -> TextClassifier:
    """Fit the screen's classifier to the training rows (needs scikit-learn).

    Raises:
        JindamError: scikit-learn is not installed.

    """
    rows = training_rows(data_folder)
    return text_classifier.fit(
        [plain(row.text) for row in rows],
        [CLASSES.index(row.label) for row in rows],
        [row.writer for row in rows],
        embedder,
        data_sha256=sha256_of(rows),
    )


def training_rows(data_folder: Path) -> list[SafetyRow]:
    """All messages that the shipped classifier is fitted to.

    Raises:
        JindamError: a file cannot be read.

    """
    routed = router.read_rows(data_folder / "routing" / "train.jsonl")
    return [
        *read_safety_rows(data_folder / "safety" / "train.jsonl"),
        *(SafetyRow(text=row.query, crisis=False, writer=f"routing-{row.writer}") for row in routed),
        *worries_without_risk(data_folder / "counseling" / "train.jsonl"),
    ]


def worries_without_risk(file: Path) -> list[SafetyRow]:
    """What users say in the counselling dialogues that are marked as free of risk; none where there is no such file.

    Raises:
        JindamError: a line is not a dialogue.

    """
    if not file.is_file():
        return []
    dialogues = read_jsonl(file, _Dialogue, '{"messages": […], "risk": false, "writer": "a"}')
    return [
        SafetyRow(text=message.content, crisis=False, writer=f"counselling-{dialogue.writer}")
        for dialogue in dialogues
        if dialogue.risk is False
        for message in dialogue.messages
        if message.role == "user"
    ]


def open_risk_classifier(data_folder: Path, home: Path, embedder: NamedEmbeddings) -> RiskClassifier:
    """The shipped classifier, or, for another embedding model, one fitted to it once and kept in ``home``.

    Raises:
        JindamError: it must be fitted and scikit-learn is not installed.

    """
    return RiskClassifier(
        text_classifier.open_fitted(
            data_folder / "safety" / FILE_NAME,
            home / "risk",
            embedder,
            lambda: fit_risk_classifier(data_folder, embedder),
        )
    )


def main() -> None:
    """Fit the shipped classifier again, after an edit of a training split of data/safety/, data/routing/ or data/counseling/."""
    from backend.embedding.embedder import open_embedder
    from backend.settings import get_settings

    settings = get_settings()
    fit_risk_classifier(settings.data_folder, open_embedder(settings)).save(settings.data_folder / "safety" / FILE_NAME)


if __name__ == "__main__":
    main()
