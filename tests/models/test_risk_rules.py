"""The rules alone, over the ways of saying that are known to matter."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.models.risk_rules import find

NONE = [
    # idioms
    "배고파 죽겠어",
    "졸려 죽을 것 같아",
    "귀여워서 죽을 뻔",
    "시험 망해서 엄마한테 죽었다",
    "죽도록 공부",
    # denied
    "죽고 싶지 않다",
    "죽고 싶지 않아요, 잘 살고 싶어요",
    "죽을 생각은 전혀 없어요",
    "죽고 싶은 건 아니에요",
    "죽고 싶단 생각 든 적 없음",
    "괴롭힘 당하냐고 담임이 자꾸 묻는데 그냥 이 친구들이 좋아서 늦게 오는 거예요",
    "왕따 당하는 줄 알고 이모가 학교까지 오셨지 뭐예요",
    "우리 딸이 따돌림을 당하는 것은 아닙니다",
    "애들이 저를 안 괴롭혀요",
    "자살 생각이라니요, 그런 생각은 정말 한 번도 한 적 없습니다",
    "설문지에서 '죽고 싶다'를 잘못 눌렀어요",
    "살고 싶지 않은 게 아니라 이 동네에 살고 싶지 않은 거야",
    "살기 싫다는 말이 아니라 자취방에서 나가고 싶다는 말이었어",
    "죽고 싶을 리가요",
    "아버지가 손찌검을 하신 적은 한 번도 없어요",
    "따돌림 아님, 혼자가 편함",
    "고등학교 때 공황이 왔었는데 지금은 다 나아서 무대에도 서요",
    "학대 피해 아동을 돕는 일을 하고 싶어요",
    # exaggerated, or a word inside another
    "방울토마토 말고 주먹토마토",
    "이 안무는 숨을 못 쉴 만큼 멋있다고 소문난 무대의 직캠을 새벽까지 돌려 봤다",
    "호박죽을까 팥죽일까",
    "칼로리를 다 외워 버렸다",
    "배운 것은 칼을 가는 법이었다",
    "옥상 문에 고추 말린다고 안내문이 붙었네",
    # words that only look so when spaces are dropped
    "여자해외봉사에 투자해 보려고요",
    "여자해",
    "투 자 해",
    "혼자 살 집을 구하고 있어요",
    "사유서를 냈어요",
    "항목을 매일 정리해요",
    "뱃살이 유난히 나왔어",
    "지 말자는거 아니었어?",
    # other meanings
    "정답 맞았어요",
    "엄마 말이 맞아요",
    "한강 가서 치맥 하고 싶다",
    "유서 깊은 절에 다녀왔어요",
    "멍때리다가 버스를 놓쳤어",
    "방 정리 다 했어",
    "과제 다 끝내고 싶다",
    "시험 다 끝났으면 좋겠다",
    "설거지를 빨리 다 끝내고 싶어",
    # a subject of study, a story
    "자살예방상담사가 되려면 무슨 과를 가야 하나요",
    "학교폭력 예방 캠페인 동아리를 하고 있어요",
    "웹툰 주인공이 왕따를 당하는 장면이 인상적이었어요",
    "자해 연구 논문을 찾고 있어요",
    "ㅈㅅ 늦게 봤어",
]
CRISIS = [
    ("죽고 싶어요", "suicide"),
    ("그냥 죽고싶다는 생각만 들어요", "suicide"),
    ("배고파 죽고 싶어 진짜로", "suicide"),
    ("요즘 죽고 싶지 않은 날이 없어요", "suicide"),
    ("죽고 싶은 건 아닌데 그냥 없어지고 싶어", "suicide"),
    ("자살 생각을 해요. 그런 생각이 없을 때가 거의 없어요", "suicide"),
    ("옥상에 서 있어", "suicide"),
    ("옥상 문 몇 시에 잠그나요", "suicide"),
    ("수능 망했고 그냥 사라지고 싶어, 재수할까요", "suicide"),
    # spellings
    ("죽고시퍼", "suicide"),
    ("죽구십어", "suicide"),
    ("자4 하고 싶다", "suicide"),
    ("자4", "suicide"),
    ("ㅈ ㅏ살", "suicide"),
    ("자.살", "suicide"),
    ("자 해", "self_harm"),
    ("죽\u200b고 싶어", "suicide"),
    (unicodedata.normalize("NFD", "죽고 싶어"), "suicide"),
    ("죽고싶어어어어", "suicide"),
    ("죽 고 싶 다", "suicide"),
    ("죽고 싶다ㅠㅠㅠㅠ", "suicide"),
    # said another way
    ("사라지고 싶다", "suicide"),
    ("먼지가 되고 싶다", "suicide"),
    ("한강 가고 싶다", "suicide"),
    ("한강 물 온도", "suicide"),
    ("인생 로그아웃하고 싶다", "suicide"),
    ("퇴생", "suicide"),
    ("이번 생일까지만", "suicide"),
    ("다 끝내고 싶다", "suicide"),
    ("자고 안 일어났으면", "suicide"),
    ("나만 없으면 다 편할 텐데", "suicide"),
    # means and preparation
    ("번개탄", "suicide"),
    ("수면제 모으는 중", "suicide"),
    ("유서 써 뒀어요", "suicide"),
    ("옥상 문 열려 있나", "suicide"),
    ("마포대교", "suicide"),
    ("정리 다 했다", "suicide"),
    ("그동안 고마웠어", "suicide"),
    # other kinds
    ("어제 손목을 그었어요", "self_harm"),
    ("아빠가 저를 맨날 때려요", "abuse"),
    ("아빠가 때린다고", "abuse"),
    ("아빠가 때리려고 해요", "abuse"),
    ("삼촌이 몸을 만져요", "abuse"),
]
CONCERN = [
    ("반에서 왕따를 당해요", "violence"),
    ("왕따", "violence"),
    ("단톡에서 나만 빼고 얘기해", "violence"),
    ("빵셔틀 시켜요", "violence"),
    ("애들한테 돈 뺏겨요", "violence"),
    ("먹토를 끊을 수가 없어요", "eating"),
    ("씹뱉", "eating"),
    ("프로아나", "eating"),
    ("사흘째 굶고 있어요", "eating"),
    ("숨이 안 쉬어져요, 죽을 것 같아요", "panic"),
]


@pytest.mark.parametrize(
    "text",
    [
        "아빠가 때려서 행복했던 적이 한 번도 없어요",
        "괴롭힘 당하고 누구한테 말해 본 적 없어요",
        "예전에는 가끔 먹고 토했는데 지금은 매일 토해요",
        "누가 죽고 싶냐고 물으면 그렇다고 할 것 같아요",
        "왕따당하는데 도와주는 사람이 없어요",
    ],
)
def test_what_only_looks_like_a_denial_is_none(text: str) -> None:
    assert find(text) is not None


@pytest.mark.parametrize("text", NONE)
def test_ordinary_words_stay_ordinary(text: str) -> None:
    assert find(text) is None


@pytest.mark.parametrize(("text", "kind"), CRISIS)
def test_crisis(text: str, kind: str) -> None:
    hit = find(text)
    assert hit is not None
    assert (hit.level, hit.kind) == ("crisis", kind)


@pytest.mark.parametrize(("text", "kind"), CONCERN)
def test_concern(text: str, kind: str) -> None:
    hit = find(text)
    assert hit is not None
    assert (hit.level, hit.kind) == ("concern", kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("단톡에서 저만 빼고 새로 방을 팠더라고요. 심리학과 가면 이런 거 배우나요?", "violence"),
        ("아빠가 때려요. 사회복지학과 가려면 성적이 어느 정도여야 해요", "abuse"),
        ("학교폭력 당했어요 경찰학과 가고 싶어요", "violence"),
        ("죽고 싶어요 수학과 면접 망해서", "suicide"),
        ("숨이 안 쉬어져요 간호학과 면접장인데", "panic"),
    ],
)
def test_a_career_in_the_same_message_hides_nothing(text: str, kind: str) -> None:
    hit = find(text)
    assert hit is not None
    assert hit.kind == kind


def test_another_person_is_told_apart() -> None:
    for text in ("친구가 죽고 싶대요", "동생이 죽고 싶다고 했어요 어떡해요"):
        hit = find(text)
        assert hit is not None
        assert hit.about == "other"
    for text in ("친구 때문에 죽고 싶어요", "친구가 죽고 싶대요. 저도 죽고 싶어요"):
        hit = find(text)
        assert hit is not None
        assert hit.about == "self"


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    find(text)


@pytest.mark.parametrize("unit", ["죽고 ", "아빠가 저를 ", "자 ", "ㅈㅏ", "가나다 라마 ", "나는 그냥 ", "먹고 나서 "])
def test_reading_is_quick_however_long(unit: str) -> None:
    text = (unit * 2000)[:2000]
    start = time.perf_counter()
    find(text)
    assert time.perf_counter() - start < 0.5
