"""A message in the spelling that the crisis rules are written for.

People hide such words from filters, or type them with shaking hands: spaces and dots inside a word, single jamo, digits for
syllables, drawn-out endings, invisible characters.
"""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = re.compile(r"[\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = "_ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_GAP = r"[\s.\-_*~·,'\"/|^+]{0,2}"
_SYLLABLE_IN_JAMO = re.compile(rf"([{_LEADS}]){_GAP}([{_VOWELS}])(?!\2)(?:([{_TAILS[1:]}])(?!{_GAP}[{_VOWELS}]))?")
_TAIL_AFTER_SYLLABLE = re.compile(r"([가-힣])([ㄱㄴㄹㅁㅂㅅㅍ])(?=[가-힣])")
_DRAWN_OUT = re.compile(r"([가-힣])\1{2,}")
_SINGLE_SYLLABLES = re.compile(r"(?<![가-힣])[가-힣](?:[\s.\-_*~·,'\"/|^+!@#]+[가-힣](?![가-힣]))+")
_INSIDE_A_WORD = re.compile(r"(?<=[가-힣])(?:\d|[.\-_*~·'\"/|^+!@#]+)(?=[가-힣])")

# What a slip of the finger or of the ear makes of a few syllables. Each is read in a context where the odd spelling is no word.
_SPELLINGS = [
    (re.compile(r"자\s*(?:4|sal|ㅅ\s*살|쌀(?=\s*(?:하|할|각)))|ㅈ살|ㅈㅅ(?=\s*(?:하고|할까|하러|각|마렵|시도))"), "자살"),
    (re.compile(r"ㅈ\s*해|자\s*(?:1|ㅎ)\s*해|ㅈㅎ(?=\s*(?:하|했|끊|또|충동|흉))"), "자해"),
    (re.compile(r"(?<=[기고])\s*시(?:러|로|름|렁)"), " 싫어"),
    (re.compile(r"(?:죽|주)\s*(?:고|구|꼬|거)\s*(?:만\s*)?(?:시퍼|시포|시픈|시픔|시펑|십(?=[어다은네지])|싶퍼|싶포|10(?=다|어|네)|파(?=요|서|$|[\s.,!?~]))"), "죽고싶"),
    (re.compile(r"(?:쥭|쥬ㄱ|듁|쥬고|쥭고)\s*(?=고|구|싶|을|어)"), "죽"),
    (re.compile(r"주거(?=버|\s*버|야|도\s*(?:돼|되|상관))"), "죽어"),
    (re.compile(r"(?<=고)\s*(?:시퍼|시포|시픈|시픔|싶퍼|십(?=[어다은네지]))"), "싶"),
    (re.compile(r"(?<=고)\s*(?=싶)"), " "),
]  # fmt: skip


def plain(text: str) -> str:
    """``text`` composed and cleaned, its spaces kept."""
    text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    text = "".join(unicodedata.normalize("NFKC", c) if not "ㄱ" <= c <= "ㆎ" else c for c in text)
    text = unicodedata.normalize("NFC", text).lower()
    text = _SYLLABLE_IN_JAMO.sub(_composed, text)
    text = _TAIL_AFTER_SYLLABLE.sub(_closed, text)
    text = _DRAWN_OUT.sub(r"\1", text)
    for odd, usual in _SPELLINGS:
        text = odd.sub(usual, text)
    return " ".join(text.split())


def joined(text: str) -> str:
    """``plain`` text with words that were pulled apart (자.살, 죽 고 싶 다) put together, the other spaces kept."""
    text = _INSIDE_A_WORD.sub("", text)
    return plain(_SINGLE_SYLLABLES.sub(lambda run: re.sub(r"[^가-힣]", "", run.group()), text))


def _composed(jamo: re.Match[str]) -> str:
    lead, vowel, tail = jamo.groups()
    return chr(0xAC00 + (_LEADS.index(lead) * 21 + _VOWELS.index(vowel)) * 28 + (_TAILS.index(tail) if tail else 0))


def _closed(pair: re.Match[str]) -> str:
    syllable, tail = pair.groups()
    code = ord(syllable)
    return pair.group() if (code - 0xAC00) % 28 else chr(code + _TAILS.index(tail))
