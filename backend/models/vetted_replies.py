"""Checked replies of the training dialogues, word for word: what a small counsellor model gives way to.

They are the dialogues with a ``fits`` column; ``also`` holds other wordings of their message. A reply that fits a ``concern``
is for whoever brings it; one that fits a ``topic`` for every message on it by its group of people; ``opening`` and
``continuing`` are for any first message and any later one: they ask. For a new message

- logistic regressions over its query vector and over its character bigrams say of which topic and group it is;
- BM25 over the wordings says which concern it shares words with (E5 vectors hardly tell the concerns of a topic apart:
  AUC .56 against .78 on a reader's verdicts);
- a logistic regression over the three says how probably a concern's reply fits. Where none does, the topic's reply stands, if
  topic and group are probable enough; a vague message gets one that asks. Nothing is said twice in a conversation.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from backend.embedding.embedder import NamedEmbeddings
from backend.embedding.lexical import LexicalIndex, bigrams
from backend.files import written_aside
from backend.jsonl import read_jsonl
from backend.models.text_classifier import scikit_learn_missing

FILE_NAME = "vetted.npz"
_TRAIN = "train.jsonl"
_TOPICS = "topics.jsonl"

GROUPS = {"대학생": "대학생", "취준생": "취준생", "직장인": "직장인", "학부모": "학부모", "다문화": "다문화", "장애": "장애"}
"""Audience → the group a reply is written for; every other audience goes to school or prepares for it."""
_PUPILS, _PARENTS = "학생", "학부모"
_OWN_PARENT = re.compile(
    r"(?:아버지|어머니|엄마|아빠|부모님|할머니|할아버지)(?:께서|께|가|는|은|이|도|한테|랑|와|를|의|하고|에게|보고| )"
)
_OWN_CHILD = re.compile(
    r"아들|딸|아이(?!디|돌|폰|패드|템|러니)|애(?=[가는를도만한랑의 ]|$|들|기)|얘(?!기)|걔|자녀|자식"
    r"|첫째|둘째|셋째|막내|큰놈|작은놈|녀석|손주|손자|손녀|조카|엄마인데|엄마입니다"
    r"|학부모|부모(?:로서|인데|입니다|예요|가 )|맘입니다"
)
"""Of the messages labelled so far, 895 of 9,882 by others and 8 of 2,313 by parents speak of a parent and of no child."""

_TEXT_PENALTY, _VECTOR_PENALTY = 10.0, 0.01
"""Inverse strengths of the regressions' penalties. Chosen, as is the next, on the validation writer, on every sixth of the first
six writers' short messages and on one writer left out."""
_VECTOR = 0.5
"""Weight of the vector's regression beside the bigrams'."""
_TOPIC, _GROUP, _SHARED_WORDS, _CONSTANT = 0.286, 0.371, 1.605, -3.172
"""Of log P(topic), log P(group) and BM25 over the root of the message's length; fitted to 591 verdicts of readers."""
_LEAST = -8.0
"""Log-probability below which a topic or group is no less likely."""
CONCERN_FITS = 0.6
"""Probability from which a concern's reply is given. Strict readers of 166 messages of the validation writer called .43 of the
likeliest concerns' replies to the point, and .86 of the topics'."""
_SAYS_THE_SAME = 0.6
"""Share of their bigrams (Dice's coefficient, rare ones counting more) from which a message says what a wording says. The
regression was fitted to long messages, and a short one seldom has words enough for it."""
TOPIC_FITS = 0.15
"""P(topic) · P(group) from which a topic's reply is given to a short or a later message. A longer first message that is not vague
gets the likeliest: of five such replies below .2 the same readers called two to the point, and .15 of all replies that only
ask."""
_TELLS_A_TOPIC = 20
"""Characters from which a message is looked at for a topic of its own, "네 그런 것 같아요" has none."""
_SHORT = 10
"""Characters below which a message's few words weigh no more; a "네" is in many wordings."""

Array = NDArray[np.float32]
Level = Literal["concern", "topic", "opening", "continuing"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    role: str
    content: str


class CounsellingRow(BaseModel):
    """A dialogue of the training split."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    topic: str
    audience: str
    messages: tuple[_Message, ...]
    also: tuple[str, ...] = ()
    """Other wordings of the user's message."""
    fits: Level | None = None
    """What the reply is for; without it, it answers one person and nobody else."""

    @property
    def wordings(self) -> tuple[str, ...]:
        """The message, and every other that this dialogue's reply answers."""
        return (next(message.content for message in self.messages if message.role == "user"), *self.also)

    @property
    def group(self) -> str:
        """Who is asking, as far as replies differ by it."""
        return GROUPS.get(self.audience, _PUPILS)

    @property
    def reply(self) -> str:
        """The last thing said."""
        return self.messages[-1].content


class TopicMessage(BaseModel):
    """A message with what it is about and who writes it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    topic: str
    group: str


@dataclass(frozen=True)
class VettedReply:
    """A reply of the training split, word for word."""

    dialogue: str
    """The dialogue's id."""
    text: str
    level: Level
    probability: float
    """That it fits the message (``concern``), or that topic and group are right (``topic``); 1 for one that asks."""


@dataclass(frozen=True)
class Classifiers:
    """Topic and group of a message. ``d`` dimensions, ``v`` bigrams, ``t`` topics, ``g`` groups."""

    topics: NDArray[np.str_]
    groups: NDArray[np.str_]
    bigrams: NDArray[np.str_]
    """(v,)"""
    rarity: Array
    """(v,) inverse document frequencies."""
    topic_weights: Array
    """(d + 1, t); the last row is added."""
    topic_bigrams: Array
    """(v, t)"""
    group_weights: Array
    """(d + 1, g)"""
    group_bigrams: Array
    """(v, g)"""

    def log_probabilities(self, text: str, vector: Sequence[float]) -> tuple[Array, Array]:
        """Log-probabilities of the topics, shape (t,), and of the groups, shape (g,)."""
        rows = [self._rows[gram] for gram in set(bigrams(text)) if gram in self._rows]
        words = self.rarity[rows] / max(float(np.linalg.norm(self.rarity[rows])), 1e-6)
        message = np.append(np.asarray(vector, np.float32), np.float32(1))
        topic = message @ self.topic_weights + words @ self.topic_bigrams[rows]
        group = message @ self.group_weights + words @ self.group_bigrams[rows]
        return topic - np.logaddexp.reduce(topic), group - np.logaddexp.reduce(group)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {gram: row for row, gram in enumerate(self.bigrams.tolist())}


class VettedReplies:
    """The vetted replies of one data folder for one embedding model. Thread-safe."""

    def __init__(self, rows: Sequence[CounsellingRow], classifiers: Classifiers) -> None:
        """``rows`` are the whole training split; those that say what they fit are the replies."""
        self._classifiers = classifiers
        topics, groups = classifiers.topics.tolist(), classifiers.groups.tolist()
        self._parents = groups.index(_PARENTS) if _PARENTS in groups else None
        self._concerns = [row for row in rows if row.fits == "concern"]
        self._topic_of = [topics.index(row.topic) for row in self._concerns]
        self._group_of = [groups.index(row.group) for row in self._concerns]
        self._words = LexicalIndex([" ".join(row.wordings) for row in self._concerns])
        self._wordings = [(place, set(bigrams(text))) for place, row in enumerate(self._concerns) for text in row.wordings]
        frequency = Counter(gram for _, grams in self._wordings for gram in grams)
        self._rarity = {gram: math.log(1 + len(self._wordings) / count) for gram, count in frequency.items()}
        self._of_topic = {(topics.index(row.topic), groups.index(row.group)): row for row in rows if row.fits == "topic"}
        self._asking = {level: [row for row in rows if row.fits == level] for level in ("opening", "continuing")}

    def fitting(self, text: str, vector: Sequence[float], said: Sequence[str] = ()) -> VettedReply | None:
        """The reply to give after ``said``, what the counsellor has said before; None when all that would fit has been said."""
        found = [*self.concerns(text, vector, 1 + len(said))]
        if not said or len(text) >= _TELLS_A_TOPIC:
            found += self.of_topic(text, vector)
        found += self.asking(text, "continuing" if said else "opening")
        told = not said and self._tells_a_topic(text, vector)
        enough = {"concern": CONCERN_FITS, "topic": 0.0 if told else TOPIC_FITS, "opening": 0.0, "continuing": 0.0}
        new = (reply for reply in found if not any(reply.text in before for before in said))
        return next((reply for reply in new if reply.probability >= enough[reply.level]), None)

    def concerns(self, text: str, vector: Sequence[float], count: int = 1) -> list[VettedReply]:
        """The ``count`` replies of concerns that most probably fit a message, the likeliest first."""
        topic, group = self._topic_and_group(text, vector)
        evidence = (
            _TOPIC * np.maximum(topic, _LEAST)[self._topic_of]
            + _GROUP * np.maximum(group, _LEAST)[self._group_of]
            + _SHARED_WORDS * self._words.scores(text) / math.sqrt(max(len(text), _SHORT))
            + _CONSTANT
        )
        probability = 1 / (1 + np.exp(-evidence))
        for place, same in self._likeness(text).items():
            if same >= _SAYS_THE_SAME:
                probability[place] = max(probability[place], same)
        probability[np.isneginf(group)[self._group_of]] = 0.0
        best = np.argsort(-probability, kind="stable")[:count]
        return [_given(self._concerns[place], float(probability[place])) for place in best]

    def _tells_a_topic(self, text: str, vector: Sequence[float]) -> bool:
        """Whether a message tells its matter, if not always which: to ask on as if nothing had been said hurts."""
        topic, _ = self._classifiers.log_probabilities(text, vector)
        return len(text) >= _TELLS_A_TOPIC and int(topic.argmax()) in {place for place, _ in self._of_topic}

    def _topic_and_group(self, text: str, vector: Sequence[float]) -> tuple[Array, Array]:
        """Log-probabilities; whoever speaks of parents and of no child is not a parent."""
        topic, group = self._classifiers.log_probabilities(text, vector)
        if self._parents is not None and _OWN_PARENT.search(text) and not _OWN_CHILD.search(text):
            group[self._parents] = -np.inf
        return topic, group

    def _likeness(self, text: str) -> dict[int, float]:
        """Dice's coefficient of a message and the nearest wording of each concern that shares bigrams with it."""
        grams = set(bigrams(text))
        unseen = math.log(1 + len(self._wordings))

        def weight(those: set[str]) -> float:
            return sum(self._rarity.get(gram, unseen) for gram in those)

        whole = weight(grams)
        likeness: dict[int, float] = {}
        for place, known in self._wordings:
            if shared := grams & known:
                likeness[place] = max(likeness.get(place, 0.0), 2 * weight(shared) / (whole + weight(known)))
        return likeness

    def of_topic(self, text: str, vector: Sequence[float]) -> list[VettedReply]:
        """The replies of topics, the likeliest topic and group first."""
        topic, group = self._topic_and_group(text, vector)
        joint = {place: float(topic[place[0]] + group[place[1]]) for place in self._of_topic}
        best = sorted(joint, key=lambda place: -joint[place])
        return [_given(self._of_topic[place], math.exp(joint[place])) for place in best]

    def asking(self, text: str, level: Literal["opening", "continuing"]) -> list[VettedReply]:
        """The replies that ask, the one whose wordings are nearest to ``text`` first."""
        grams = set(bigrams(text))
        rows = sorted(self._asking[level], key=lambda row: -max(len(grams & set(bigrams(known))) for known in row.wordings))
        return [_given(row, 1.0) for row in rows]


def _given(row: CounsellingRow, probability: float) -> VettedReply:
    assert row.fits is not None
    return VettedReply(row.id, row.reply, row.fits, probability)


def open_vetted_replies(data_folder: Path, home: Path, embedder: NamedEmbeddings) -> VettedReplies | None:
    """The replies in a data folder, if it has any; the classifiers for another embedding model are fitted once, kept in ``home``.

    Raises:
        JindamError: the training split cannot be read.

    """
    folder = data_folder / "counseling"
    if not (folder / _TRAIN).is_file():  # a deployment's own data need not hold dialogues
        return None
    rows = read_rows(folder)
    classifiers = _load(folder / FILE_NAME, embedder.model_id)
    if classifiers is None:
        messages = labelled_messages(folder)
        key = hashlib.sha256("\0".join([embedder.model_id, *(message.text for message in messages)]).encode())
        file = home / "vetted" / key.hexdigest()[:16] / FILE_NAME
        classifiers = _load(file, embedder.model_id)
        if classifiers is None:
            classifiers = fit(messages, embedder)
            file.parent.mkdir(parents=True, exist_ok=True)
            save(classifiers, file, embedder.model_id)
    return VettedReplies(rows, classifiers)


def read_rows(folder: Path) -> list[CounsellingRow]:
    """The dialogues of the training split.

    Raises:
        JindamError: the file cannot be read.

    """
    example = '{"id": "a-001", "topic": "…", "audience": "…", "messages": […], "also": ["…"], "fits": "concern"}'
    return read_jsonl(folder / _TRAIN, CounsellingRow, example)


def labelled_messages(folder: Path) -> list[TopicMessage]:
    """What the classifiers are fitted to: the labelled messages, and every wording of every dialogue that opens with its matter.

    Vague ones are of a topic that has no reply of its own, so that they get one that asks.

    Raises:
        JindamError: a file cannot be read.

    """
    labelled = read_jsonl(folder / _TOPICS, TopicMessage, '{"text": "…", "topic": "…", "group": "…"}')
    dialogues = [row for row in read_rows(folder) if row.fits != "continuing"]
    return [
        *labelled,
        *(TopicMessage(text=text, topic=row.topic, group=row.group) for row in dialogues for text in row.wordings),
    ]


def fit(messages: Sequence[TopicMessage], embedder: NamedEmbeddings) -> Classifiers:
    """Embed every message (minutes) and fit the classifiers of topic and group to them (needs scikit-learn).

    Raises:
        JindamError: scikit-learn is not installed.

    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise scikit_learn_missing() from error
    words = TfidfVectorizer(analyzer=lambda text: list(set(bigrams(text))), min_df=2)
    documents = words.fit_transform([message.text for message in messages])
    vectors = np.asarray([embedder.embed_query(message.text) for message in messages], np.float64)
    topics, groups = sorted({message.topic for message in messages}), sorted({message.group for message in messages})
    topic_weights, topic_bigrams = _regressions(vectors, documents, [topics.index(message.topic) for message in messages])
    group_weights, group_bigrams = _regressions(vectors, documents, [groups.index(message.group) for message in messages])
    return Classifiers(
        topics=np.array(topics),
        groups=np.array(groups),
        bigrams=words.get_feature_names_out().astype(str),
        rarity=words.idf_.astype(np.float32),
        topic_weights=topic_weights,
        topic_bigrams=topic_bigrams,
        group_weights=group_weights,
        group_bigrams=group_bigrams,
    )


def _regressions(vectors: NDArray[np.float64], documents: Any, labels: Sequence[int]) -> tuple[Array, Array]:
    """Two logistic regressions, added up: weights of the vector with both intercepts (d + 1, classes), and of the bigrams."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    by_vector = LogisticRegression(C=_VECTOR_PENALTY, max_iter=300).fit((vectors - mean) / scale, labels)
    by_words = LogisticRegression(C=_TEXT_PENALTY, max_iter=300).fit(documents, labels)
    weights = _VECTOR * by_vector.coef_ / scale
    intercept = by_words.intercept_ + _VECTOR * by_vector.intercept_ - weights @ mean
    return np.vstack([weights.T, intercept]).astype(np.float32), by_words.coef_.T.astype(np.float32)


def save(classifiers: Classifiers, file: Path, model_id: str) -> None:
    """Write the classifiers; the bigrams' weights as float16, which changes no decision."""
    arrays = {field.name: getattr(classifiers, field.name) for field in fields(classifiers)}
    for name in ("topic_bigrams", "group_bigrams"):
        arrays[name] = arrays[name].astype(np.float16)
    with written_aside(file) as path, path.open("wb") as out:
        np.savez_compressed(out, model=np.array(model_id), **arrays)


def _load(file: Path, model_id: str) -> Classifiers | None:
    """What :func:`save` wrote; None if it is not there or of another vector space."""
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as archive:
        if str(archive["model"]) != model_id:
            return None
        arrays: dict[str, Any] = {field.name: archive[field.name] for field in fields(Classifiers)}
    return Classifiers(**{name: array if array.dtype.kind == "U" else array.astype(np.float32) for name, array in arrays.items()})


def main() -> None:
    """Fit the shipped classifiers again, after an edit of data/counseling/."""
    from backend.embedding.embedder import open_embedder
    from backend.settings import get_settings

    settings = get_settings()
    folder = settings.data_folder / "counseling"
    embedder = open_embedder(settings)
    messages = labelled_messages(folder)
    save(fit(messages, embedder), folder / FILE_NAME, embedder.model_id)
    print(f"fitted to {len(messages)} messages")  # noqa: T201


if __name__ == "__main__":
    main()
