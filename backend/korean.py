"""Small rules of written Korean that answers need."""

from __future__ import annotations

import re
import unicodedata

_SENTENCE_END = re.compile(r"(?<=[.!?…][\"'”’)\]])\s+|(?<=[.!?…])(?<!\d\.)\s+|\n+")
_HANGUL = re.compile(r"[가-힣]")
_FOREIGN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\u0400-\u04ff\u0e00-\u0e7f\u0600-\u06ff]")


def josa(word: str, pair: str) -> str:
    """``word`` with the particle of ``pair`` that its last syllable asks for: ``josa("법학과", "은/는")`` → 법학과는.

    ``pair`` names the form after a consonant first. 로 also follows the consonant ㄹ (``으로/로``). A word that does not end in a
    Hangul syllable gets the form after a vowel.
    """
    after_consonant, after_vowel = pair.split("/")
    last = ord(word[-1]) - 0xAC00 if word else -1
    final = last % 28 if 0 <= last < 11172 else 0
    if final == 0 or (final == 8 and after_vowel == "로"):
        return word + after_vowel
    return word + after_consonant


def sentences(text: str) -> list[str]:
    """The text's sentences, without the white space between them."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def finished_sentences(text: str) -> tuple[list[str], str]:
    """The sentences that ``text`` has finished, and the beginning of the next: what a stream can show so far."""
    *finished, rest = _SENTENCE_END.split(text)
    return [sentence.strip() for sentence in finished if sentence.strip()], rest


def first_sentence(text: str) -> str:
    """The text's first sentence."""
    return sentences(text)[0] if text.strip() else ""


def is_korean(text: str) -> bool:
    """Whether a reader of Korean can read it: Hangul, and no kana, Han characters or other foreign script."""
    return bool(_HANGUL.search(text)) and not _FOREIGN.search(text)


def cleaned(text: str) -> str:
    """What a person typed, in one spelling: NFC, no control or zero-width characters, no runs of white space at the ends."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(c for c in composed if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf")).strip()
