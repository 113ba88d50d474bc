from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.korean import cleaned, finished_sentences, first_sentence, is_korean, josa, sentences


@pytest.mark.parametrize(
    ("word", "pair", "expected"),
    [
        ("법학과", "은/는", "법학과는"),
        ("자격·면허", "은/는", "자격·면허는"),
        ("배우는 내용", "은/는", "배우는 내용은"),
        ("서울", "으로/로", "서울로"),
        ("집", "으로/로", "집으로"),
        ("IT", "이/가", "IT가"),
        ("", "을/를", "를"),
    ],
)
def test_josa(word: str, pair: str, expected: str) -> None:
    assert josa(word, pair) == expected


def test_sentences_are_split_at_their_ends_only() -> None:
    assert sentences("괜찮아요. 3.5점이면 충분해요! “정말요?” 네\n다음 줄") == [
        "괜찮아요.",
        "3.5점이면 충분해요!",
        "“정말요?”",
        "네",
        "다음 줄",
    ]
    assert sentences("1. 먼저 적어 보세요. 2. 쉬세요.") == ["1. 먼저 적어 보세요.", "2. 쉬세요."]
    assert first_sentence("하나. 둘.") == "하나."
    assert first_sentence("  ") == ""


@given(st.lists(st.text(alphabet='가나다 .!?\n"', max_size=12), max_size=8))
def test_a_stream_gives_the_sentences_of_the_whole(pieces: list[str]) -> None:
    shown: list[str] = []
    rest = ""
    for piece in pieces:
        finished, rest = finished_sentences(rest + piece)
        shown += finished
    shown += sentences(rest)
    assert "".join("".join(shown).split()) == "".join("".join(pieces).split())


def test_is_korean() -> None:
    assert is_korean("AI와 함께 진로를 찾아요.")
    assert not is_korean("購入する 방법")
    assert not is_korean("12. ")


@given(st.text(max_size=60))
def test_cleaned_is_stable_and_visible(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    assert not any(unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t" for c in once)


def test_cleaned_joins_decomposed_hangul_and_drops_zero_width() -> None:
    assert cleaned(unicodedata.normalize("NFD", " 심리\u200b학과 ")) == "심리학과"
