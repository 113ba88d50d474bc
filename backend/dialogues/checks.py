"""From a raw row to a clean dialogue, or to the reason why it is none."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from backend.dialogues.sources import RawRow
from backend.korean import is_korean, sentences
from backend.models import risk_rules
from backend.models.unsafe_answers import AnswerScreen
from backend.plain_text import without_markup
from backend.privacy import mask

_QUOTES = (("“", "”"), ("‘", "’"), ('"', '"'), ("'", "'"), ("「", "」"), ("『", "』"))
_NOTHING = {"nan", "none", "null", "n/a", "na", "-", "없음", "undefined"}
_HELP = re.compile(r"(?<!\d)(?:109|1388|1577-0199|117|1366|112|119)(?!\d)")


@dataclass(frozen=True)
class Dialogue:
    """User and assistant turns in order, beginning with the user and ending with the assistant."""

    turns: list[tuple[str, str]]
    """(user, assistant) pairs."""
    writer: str | None = None
    id: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    masked: Counter[str] = field(default_factory=Counter)
    """How many of each kind of personal data were masked."""

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "\n".join(f"{user}\n{assistant}" for user, assistant in self.turns)


@dataclass(frozen=True)
class Refused:
    """Why a row is no dialogue; ``detail`` holds no personal data."""

    reason: str
    detail: str = ""


def check(row: RawRow, screen: AnswerScreen) -> Dialogue | Refused:
    """The clean dialogue of a raw row.

    Refuses, in this order: ``nan`` (a number or a word for nothing where text should be), ``wrong-roles``, ``empty-question``,
    ``empty-reply``, ``not-korean`` (a reply), the rules of :class:`~backend.models.unsafe_answers.AnswerScreen`
    (``unsafe-…``), ``no-help`` (a message in danger whose reply names no helpline).
    """
    turns = list(row.turns)
    if turns and turns[0][0] == "system":
        turns = turns[1:]
    roles = [role for role, _ in turns]
    if not turns or roles != ["user", "assistant"] * (len(turns) // 2):
        return Refused("wrong-roles", " ".join(str(role) for role in roles)[:60])
    masked: Counter[str] = Counter()
    texts: list[str] = []
    for role, content in turns:
        if content is None or isinstance(content, float) or (isinstance(content, str) and content.strip().lower() in _NOTHING):
            return Refused("nan", role)
        if not isinstance(content, str):
            return Refused("not-text", type(content).__name__)
        found = mask(clean(content))
        masked += found.found
        if not found.text:
            return Refused("empty-question" if role == "user" else "empty-reply")
        texts.append(found.text)
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    for number, (user, reply) in enumerate(pairs):
        if not is_korean(reply):
            return Refused("not-korean", reply[:40])
        for sentence in sentences(reply):
            if rule := screen.unsafe(sentence):
                return Refused(f"unsafe-{rule}", f"turn {number + 1}")
        hit = risk_rules.find(user)
        if hit and hit.level == "crisis" and not any(_HELP.search(later) for _, later in pairs[number:]):
            return Refused("no-help", f"turn {number + 1}: {hit.rule}")
    return Dialogue(pairs, row.writer, row.id, row.kept, masked)


def clean(text: str) -> str:
    """One spelling of a text: no markup, entities, control characters, outer quotes or runs of white space; NFC."""
    text = without_markup(text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", text).replace("\u00a0", " ")
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    for opening, closing in _QUOTES:
        inner = text[1:-1]
        if len(text) > 2 and text[0] == opening and text[-1] == closing and opening not in inner and closing not in inner:
            text = inner.strip()
    return text
