from __future__ import annotations

import pytest

from backend.embedding.majors import passages_of
from backend.korean import sentences
from backend.models.unsafe_answers import AnswerScreen
from backend.resources import Resources

RETIRED = "13" + "93"


@pytest.fixture(scope="module")
def screen(resources: Resources) -> AnswerScreen:
    opened: AnswerScreen = resources.answer_screen
    return opened


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("힘들면 1234번으로 전화해 보세요.", "unknown-helpline"),
        (f"힘들면 {RETIRED}에 연락하세요.", "retired-helpline"),
        ("번개탄을 피우면", "method"),
        ("수면제를 한꺼번에 먹으면 위험합니다.", "method"),
        ("옥상에서 뛰어내리면", "place"),
        ("그럴 땐 죽는 게 나을 수도 있어요.", "agrees-with-death"),
        ("극단적 선택을 하는 사람도 있어요.", "agrees-with-death"),
        ("하루 800kcal만 먹으면 돼요.", "weight-advice"),
        ("저녁을 굶어 보세요.", "weight-advice"),
        ("먹고 토하면 살이 빠져요.", "weight-advice"),
        ("한 달에 10kg 감량할 수 있어요.", "weight-advice"),
        ("부모님께는 절대 말하지 마세요.", "secrecy"),
    ],
)
def test_what_is_withheld(screen: AnswerScreen, sentence: str, rule: str) -> None:
    assert screen.unsafe(sentence) == rule


@pytest.mark.parametrize(
    "sentence",
    [
        "힘들면 1388에 전화해 보세요.",
        "1학년 때 100문제를 풀었어요.",
        "혹시 죽고 싶다는 생각이 드나요?",
        "자해를 멈추고 싶다는 말을 보건 선생님께 해 보세요.",
        "밥은 거르지 말고 잠은 여섯 시간 넘게 자 보세요.",
        "영양학과에서는 열량과 영양소를 배웁니다.",
    ],
)
def test_what_may_be_said(screen: AnswerScreen, sentence: str) -> None:
    assert screen.unsafe(sentence) is None


def test_everything_we_ship_about_majors_may_be_said(screen: AnswerScreen, resources: Resources) -> None:
    texts = {passage.text for major in resources.majors for passage in passages_of(major)}
    assert [(s, rule) for text in texts for s in sentences(text) if (rule := screen.unsafe(s))] == []
