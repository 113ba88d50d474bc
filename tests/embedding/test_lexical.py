from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.embedding.lexical import LexicalIndex, bigrams


def test_bigrams_stay_within_words() -> None:
    assert bigrams("간호사 되려면 IT 3D") == ["간호", "호사", "되려", "려면", "it", "3d"]


def test_shared_letters_score() -> None:
    index = LexicalIndex(["간호사가 되는 길", "건축사가 되는 길", "음악"])
    scores = index.scores("간호사 되려면")
    assert scores.argmax() == 0
    assert scores[2] == 0


@given(st.text(max_size=40))
def test_any_text_can_be_asked(text: str) -> None:
    assert LexicalIndex(["간호사", "건축사"]).scores(text).shape == (2,)
