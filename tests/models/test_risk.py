from __future__ import annotations

import unicodedata

import pytest

from backend.models.risk import RiskScreen
from backend.resources import Resources


@pytest.fixture(scope="module")
def risk(resources: Resources) -> RiskScreen:
    screen: RiskScreen = resources.risk
    return screen


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("죽고 싶어요", "crisis"),
        ("그냥 죽고싶다는 생각만 들어요", "crisis"),
        ("요즘 죽고 싶지 않은 날이 없어요", "crisis"),
        ("수능 망했고 그냥 사라지고 싶어, 재수할까요", "crisis"),
        ("어제 손목을 그었어요", "crisis"),
        ("아빠가 저를 맨날 때려요", "crisis"),
        ("죽\u200b고 싶어", "crisis"),
        (unicodedata.normalize("NFD", "죽고 싶어"), "crisis"),
        ("반에서 왕따를 당해요", "concern"),
        ("먹토를 끊을 수가 없어요", "concern"),
        ("죽고 싶지 않아요, 잘 살고 싶어요", "none"),
        ("배고파 죽겠어", "none"),
        ("여자해외봉사에 투자해 보려고요", "none"),
        ("혼자 살 집을 구하고 있어요", "none"),
        ("자살예방상담사가 되려면 무슨 과를 가야 하나요", "none"),
        ("정답 맞았어요", "none"),
    ],
)
def test_levels(risk: RiskScreen, text: str, level: str) -> None:
    assert risk.assess(text).level == level


def test_a_reply_asks_says_what_it_is_and_gives_the_right_lines(risk: RiskScreen) -> None:
    for kind, numbers in [
        ("suicide", ("109", "1388")),
        ("self_harm", ("109", "119")),
        ("abuse", ("112", "1366")),
        (None, ("109",)),
    ]:
        reply = risk.reply(kind)
        assert "AI" in reply
        assert "?" in reply
        assert all(number in reply for number in numbers)


def test_every_reply_passes_the_screen_for_answers(risk: RiskScreen) -> None:
    for kind in ("suicide", "self_harm", "abuse", None):
        assert [risk.unsafe(line) for line in risk.reply(kind).splitlines()] == [None] * len(risk.reply(kind).splitlines())


def test_a_number_outside_the_table_is_not_said(risk: RiskScreen) -> None:
    assert risk.unsafe("힘들면 1234번으로 전화해 보세요.") == "unknown-helpline"
    assert risk.unsafe("힘들면 1388에 전화해 보세요.") is None
    assert risk.unsafe("1학년 때 100문제를 풀었어요.") is None
    assert risk.unsafe("번개탄을 피우면") == "method"
