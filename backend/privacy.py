"""Masking what identifies a person, before a message is embedded, stored or sent anywhere.

Patterns: shared conventions of Korean numbers. Registration numbers are not checked by their last digit, because those issued
since October 2020 have none that can be checked. Helplines stay readable, and so do a school year and class without a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

_DIGIT_WORDS = str.maketrans("공영일이삼사오육륙칠팔구", "001234566789")
_SAID_IN_WORDS = re.compile(r"(?<![가-힣])공\s?일\s?공[\s\-.]*(?:[공영일이삼사오육륙칠팔구][\s\-.]*){7,8}(?![가-힣])")
_KEPT = re.compile(r"(?<![\d-])(?:1577-0199|1588-9191|1661-5004)(?![\d-])")

# Order matters: a longer form is masked before a shorter one could take a piece of it.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("이메일", re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}")),
    ("주민등록번호", re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\s?[-–]?\s?[1-8]\d{6}(?!\d)")),
    ("카드번호", re.compile(r"(?<!\d)\d{4}([- ]?)\d{4}\1\d{4}\1\d{4}(?!\d)")),
    ("전화번호", re.compile(r"(?<!\d)(?:\+?82[-. ]?\(?0?\)?1[016789]|01[016789])[-. )]{0,2}\d{3,4}[-. ]{0,2}\d{4}(?!\d)")),
    ("전화번호", re.compile(r"(?<!\d)\(?0(?:2|[3-6]\d|70|50\d)\)?[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)")),
    ("운전면허번호", re.compile(r"(?<!\d)(?:1[1-9]|2[0-8])[- ]\d{2}[- ]\d{6}[- ]\d{2}(?!\d)")),
    ("사업자등록번호", re.compile(r"(?<!\d)\d{3}-\d{2}-\d{5}(?!\d)")),
    ("여권번호", re.compile(r"(?<![A-Za-z0-9])(?:[MSRODGmsrodg]\d{8}|[MSRODGmsrodg]\d{3}[A-Za-z]\d{4})(?![A-Za-z0-9])")),
    (
        "계좌번호",
        re.compile(
            r"(?<![가-힣])(?:[가-힣]{2,6}은행|농협|카카오뱅크|카뱅|토스뱅크|토스|새마을금고|신협|우체국|수협|계좌)(?:\s?(?:계좌|번호)[가-힣]{0,3})?[\s:]{0,3}\d(?:[- ]?\d){9,15}(?!\d)"
            r"|(?<![가-힣])(?:국민|신한|우리|하나|기업|농협|케이뱅크|씨티)\s?\d{3,6}-\d{2,6}-\d{2,8}(?:-\d{1,4})?(?!\d)"
        ),
    ),
    ("학번", re.compile(r"학번[^\d\n]{0,5}\d{7,10}(?!\d)")),
    (
        "주소",
        re.compile(r"[가-힣0-9]+(?:로|길)\s?\d+(?:-\d+)?(?:번길\s?\d+)?,?\s?\d{1,4}동\s?\d{1,4}호|\d{1,4}동\s?\d{1,4}호"),
    ),
    (
        "학교와 이름",
        re.compile(
            r"[가-힣]{2,10}(?:초|중|고|여중|여고|대)(?:등학교|학교)?\s?(?:\d\s?학년\s?)?\d{1,2}\s?반\s?(?:\d{1,2}\s?번\s?)?[가-힣]{2,4}(?=(?:입니다|이에요|예요|이라고|라고|이고|인데|이야|야|이요|요)(?![가-힣])|[,.!?\s]|$)"
        ),
    ),
    ("이름", re.compile(r"(?:(?:제|내|저의|나의)\s*이름은|(?:본명|성명)(?:은|:)|이름:)\s*[가-힣]{2,4}?(?=(?:입니다|이에요|예요|이고|이라고|라고|인데|이야|야|이요|요)(?![가-힣])|[,.!?\s]|$)")),
)  # fmt: skip
_NOT_A_NAME = re.compile(r"(?:학생|반장|담임|친구|교실|대표|회장|부회장|전체|아이들?|애들|소속)$")


@dataclass(frozen=True)
class Masked:
    """A text without what identifies a person."""

    text: str
    found: Counter[str] = field(default_factory=Counter)
    """How many of each kind were masked; never what they were."""


def mask(text: str) -> Masked:
    """``text`` with each identifying piece replaced by its kind in brackets: ``[전화번호]``. Masking twice changes nothing."""
    text = _ascii_digits(text)
    found: Counter[str] = Counter()
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group())
        return chr(0xE000 + len(kept) - 1)

    text = _KEPT.sub(keep, text)
    text = _SAID_IN_WORDS.sub(lambda said: said.group().translate(_DIGIT_WORDS), text)
    for kind, pattern in _PATTERNS:

        def replace(match: re.Match[str], kind: str = kind) -> str:
            if kind == "카드번호" and not _luhn(match.group()):
                return match.group()
            if kind == "학교와 이름" and _NOT_A_NAME.search(match.group()):
                return match.group()
            found[kind] += 1
            return f"[{kind}]"

        text = pattern.sub(replace, text)
    for number, original in enumerate(kept):
        text = text.replace(chr(0xE000 + number), original)
    return Masked(text, found)


def _ascii_digits(text: str) -> str:
    """Full-width and other digits as 0–9, so that no spelling passes."""
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() and unicodedata.digit(c, None) is not None else
                   {"－": "-", "‐": "-", "‑": "-", "–": "-", "＠": "@", "．": "."}.get(c, c) for c in text)  # fmt: skip


def _luhn(number: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    digits = [int(c) for c in number if c.isdigit()][::-1]
    return sum(digits[0::2]) % 10 == -sum(sum(divmod(2 * d, 10)) for d in digits[1::2]) % 10
