from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.plain_text import without_markup


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<b>법</b>을 배웁니다", "법을 배웁니다"),
        ("법<script>alert(1)</script>을", "법 을"),
        ("법<img src=x onerror=alert(1)>을", "법을"),
        ("법&lt;img src=x onerror=alert(1)&gt;을", "법을"),
        ("법&amp;lt;b&amp;gt;을", "법을"),
        ("![그림](http://a.b/c.png)법을", "법을"),
        ("[여기](javascript:alert(1))를 보세요", "여기를 보세요"),
        ("javascript:alert(1) 법을", " 법을"),
        ("첫 줄<br>둘째 줄", "첫 줄\n둘째 줄"),
        ("<scr<b>ipt>법을", " "),
        ("점수가 3 < 5이고 <3 해요 [1]", "점수가 3 < 5이고 <3 해요 [1]"),
    ],
)
def test_what_could_act_is_taken_out(text: str, plain: str) -> None:
    assert without_markup(text) == plain


@given(st.text(alphabet="<>/![]()&;abcimgscript가나 :=\n", max_size=60))
def test_twice_changes_nothing(text: str) -> None:
    once = without_markup(text)
    assert without_markup(once) == once
