"""The fixed texts of the crisis screen. No model has a part in them.

Written along the dimensions of VERA-MH (hear, ask plainly, give resources and human support, stay, keep safe boundaries) and the
Korean press guideline on suicide 4.0: no method, no single cause, no promise, no diagnosis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.models.helplines import Helpline


@dataclass(frozen=True)
class _Reply:
    heard: str
    """What was heard, and a plain question."""
    again: str
    """The same for a person who has just been given ``heard``."""
    lines: tuple[str, ...]
    check_in: str
    """What stands before a normal answer when help should be offered beside it."""


_SELF = {
    "suicide": _Reply(
        heard=(
            "지금 얼마나 버거우면 그런 말이 나왔을까 싶어요. 이야기해 줘서 고마워요.\n"
            "돌려 묻지 않을게요. 지금 죽고 싶다는 생각이 드나요? 혼자 있나요? 저는 AI라서 곁에 가 있을 수는 없지만, 여기서 계속 들을 수 있어요.\n"
            "지금 바로 위험하다고 느껴지면 119에 전화하거나, 가까이 있는 어른에게 “혼자 있기 무서워요”라고 말해 주세요."
        ),
        again=(
            "솔직하게 말해 줘서 고마워요. 그 마음을 혼자 들고 있지 않았으면 해요.\n"
            "지금 곁에 누가 있나요? 스스로를 다치게 할 수 있는 것이 가까이 있다면 거기서 떨어져, 사람이 있는 곳으로 자리를 옮겨 주세요.\n"
            "저는 AI라서 대신 전화를 걸어 드릴 수 없어요. 아래 번호 하나에 지금 걸어서 “죽고 싶은 마음이 들어요”라고만 말해도 돼요."
        ),
        lines=("109", "1388", "1577-0199", "119"),
        check_in=(
            "하나 먼저 여쭤볼게요. 읽다 보니 많이 지쳐 있는 마음이 느껴져요. 혹시 죽고 싶거나 사라지고 싶다는 생각까지 드나요? "
            "그렇다면 진로보다 그 이야기가 먼저예요. 저는 AI라서 곁에 있어 드릴 수 없지만, 이 번호는 지금도 사람이 받아요."
        ),
    ),
    "self_harm": _Reply(
        heard=(
            "스스로를 아프게 할 만큼 견디기 힘든 마음이 있었군요. 말해 줘서 고마워요.\n"
            "혹시 지금 다친 곳이 있나요? 죽고 싶다는 생각도 드나요? 저는 AI라서 상처를 돌봐 줄 수는 없지만, 여기서 계속 들을 수 있어요.\n"
            "다친 곳이 있다면 119나 가까운 어른에게 먼저 알려 주세요."
        ),
        again=(
            "이어서 이야기해 줘서 고마워요. 부끄러워할 일이 아니에요. 마음이 너무 아플 때 몸으로 버틴 거니까요.\n"
            "지금도 그러고 싶은 마음이 올라오나요? 그 물건을 손이 닿지 않는 곳에 두고, 십 분만 누군가와 같은 공간에 있어 보세요.\n"
            "저는 AI예요. 상처를 보여 줄 수 있는 사람, 보건 선생님이나 상담 선생님 한 분에게 오늘 알려 주면 좋겠어요."
        ),
        lines=("109", "1388", "1577-0199", "119"),
        check_in=(
            "예전 일이라 해도 쉽게 꺼낼 수 있는 이야기가 아닌데, 말해 줘서 고마워요. 요즘도 스스로를 아프게 하고 싶을 때가 있나요? "
            "저는 AI라서 곁에 있어 드릴 수 없지만, 그런 날에는 보건 선생님이나 이 번호의 상담사에게 이야기해 주세요."
        ),
    ),
    "abuse": _Reply(
        heard=(
            "그런 일을 겪고 있다니 많이 무서웠을 것 같아요. 당신 잘못이 아니에요.\n"
            "지금 안전한 곳에 있나요? 저는 AI라서 직접 지켜 줄 수는 없지만, 도와줄 수 있는 사람에게 닿는 길은 알려 줄 수 있어요.\n"
            "지금 위험하다면 112에 바로 전화해 주세요. 학교 선생님은 이런 일을 들으면 신고하고 도와야 할 의무가 있어요."
        ),
        again=(
            "계속 이야기해 줘서 고마워요. 누가 무슨 이유를 대더라도, 사람을 때리거나 함부로 만지거나 위협하는 일은 괜찮은 일이 될 수 없어요.\n"
            "오늘 밤 있을 곳은 안전한가요? 믿을 만한 어른이 한 사람이라도 떠오르나요?\n"
            "저는 AI라서 직접 갈 수 없어요. 말로 하기 어려우면 112에 문자로 보내도 되고, 내일 담임 선생님이나 상담 선생님께 이 화면을 그대로 보여 줘도 돼요."
        ),
        lines=("112", "1366", "1388"),
        check_in=(
            "먼저 여쭤볼게요. 지금 지내는 곳은 안전한가요? 누군가 때리거나 위협하거나 싫은데 몸을 만진다면 당신 잘못이 아니고, 혼자 참을 일도 아니에요. "
            "저는 AI라서 직접 도울 수 없지만, 이 번호와 학교 선생님은 도와줄 수 있어요."
        ),
    ),
    "violence": _Reply(
        heard=(
            "그런 일을 당하면서 학교나 일터에 가는 하루가 얼마나 길었을까요. 당신이 잘못해서 생긴 일이 아니에요.\n"
            "지금 다친 곳이 있나요? 혹시 너무 힘들어서 죽고 싶다는 생각도 드나요? 저는 AI라서 대신 막아 줄 수는 없지만, 여기서 계속 들을 수 있어요.\n"
            "지금 위험하면 112로 전화해 주세요."
        ),
        again=(
            "더 이야기해 줘서 고마워요. 이건 참아서 지나갈 일이 아니라 어른들이 나서서 멈춰야 할 일이에요.\n"
            "언제, 어디서, 누가 무엇을 했는지 짧게 적고 화면은 지우지 말아 주세요. 그 기록이 당신을 지켜 줘요. 내일 그걸 보여 줄 수 있는 선생님이나 어른이 있나요?\n"
            "저는 AI라서 같이 가 줄 수는 없어요. 아래 번호에서는 신고 방법부터 차근차근 알려 줘요."
        ),
        lines=("117", "1388", "112"),
        check_in=(
            "먼저 이 말부터 할게요. 그렇게 괴롭힘을 당하는 건 당신 잘못이 아니에요. 지금 다친 곳은 없나요? 혹시 너무 힘들어서 죽고 싶다는 생각까지 드나요? "
            "저는 AI라서 대신 막아 줄 수는 없지만, 이 번호에서는 사람이 듣고 움직여 줘요."
        ),
    ),
    "harm_to_others": _Reply(
        heard=(
            "그만큼 화가 쌓이고 억울했던 거겠죠. 그 마음을 행동이 아니라 말로 꺼낸 건 아주 중요한 일이에요.\n"
            "지금 실제로 누군가를 다치게 할 생각이 있나요? 손에 쥔 것이 있다면 내려놓고, 그 사람이 없는 곳으로 먼저 나와 주세요. 저는 AI라서 곁에 갈 수는 없지만 여기서 들을 수 있어요.\n"
            "참기 어렵다고 느껴지면 112에 전화해서 “제가 누굴 다치게 할 것 같아요”라고 말해도 돼요. 당신도 지키기 위한 전화예요."
        ),
        again=(
            "다시 말해 줘서 고마워요. 그 화에는 이유가 있겠지만, 돌이킬 수 없는 일이 되면 가장 오래 아픈 건 당신이에요.\n"
            "지금 그 사람과 떨어져 있나요? 찬물로 손을 씻고, 밖에 나가 걷고, 누군가에게 전화를 거는 것까지만 오늘 해 봐요.\n"
            "저는 AI예요. 이 마음을 다룰 줄 아는 사람과 오늘 꼭 이야기해 줬으면 해요."
        ),
        lines=("112", "1577-0199", "1388"),
        check_in=(
            "먼저 여쭤볼게요. 지금 누군가를 다치게 하고 싶을 만큼 화가 나 있나요? 그 마음이 있다고 나쁜 사람인 건 아니지만, 혼자 들고 있기엔 위험해요. "
            "저는 AI라서 곁에 갈 수 없지만, 이 번호에서는 바로 이야기할 수 있어요."
        ),
    ),
    "eating": _Reply(
        heard=(
            "먹는 일이 이렇게 괴로운 싸움이 되어 있었군요. 꺼내기 어려운 이야기를 해 줘서 고마워요.\n"
            "지금 어지럽거나 가슴이 두근거리지는 않나요? 혹시 죽고 싶다는 생각도 드나요? 저는 AI라서 몸을 살펴 줄 수는 없지만, 여기서 들을 수 있어요.\n"
            "쓰러질 것 같으면 119에 바로 전화해 주세요."
        ),
        again=(
            "이어서 말해 줘서 고마워요. 의지가 약해서가 아니라, 도움이 필요한 상태일 수 있어요.\n"
            "오늘 이 이야기를 들어 줄 수 있는 사람, 보건 선생님이나 가족 한 사람이 떠오르나요?\n"
            "저는 AI라서 몸무게나 식단 이야기는 하지 않을게요. 대신 이 일을 잘 아는 사람과 이어지도록 돕고 싶어요."
        ),
        lines=("1388", "1577-0199"),
        check_in=(
            "먼저 이 말을 하고 싶어요. 먹는 일이 이렇게 괴로워졌다면 의지의 문제가 아니라 도움을 받아도 되는 일이에요. 어지럽거나 기운이 빠지는 날이 있나요? "
            "저는 AI라서 몸을 살펴 줄 수 없지만, 이 번호에서는 비밀을 지키며 들어 줘요. 보건 선생님께 이야기해도 좋아요."
        ),
    ),
    "panic": _Reply(
        heard=(
            "숨이 막히고 죽을 것 같은 느낌은 정말 무서워요. 지금 이 글을 쓴 것만으로도 애쓴 거예요.\n"
            "지금도 그런가요? 숨이 계속 쉬어지지 않거나 가슴이 아프면 119에 바로 전화해 주세요. 저는 AI라서 몸을 살펴 줄 수 없어요.\n"
            "조금 나아졌다면, 내쉬는 숨을 들이쉬는 숨보다 길게 하면서 발바닥이 바닥에 닿는 느낌에만 머물러 보세요."
        ),
        again=(
            "다시 알려 줘서 고마워요. 한 번 겪고 나면 또 올까 봐 무서운 게 당연해요.\n"
            "지금 숨은 좀 어떤가요? 곁에 있는 사람에게 “숨 쉬기가 힘들어요, 옆에 있어 주세요”라고 말할 수 있을까요?\n"
            "저는 AI예요. 계속 힘들면 119에, 가라앉았다면 보건 선생님이나 가까운 병원에 꼭 이야기해 주세요."
        ),
        lines=("119", "1577-0199", "1388"),
        check_in=(
            "먼저 여쭤볼게요. 지금은 숨이 좀 편해졌나요? 숨이 계속 안 쉬어지거나 가슴이 아프면 119에 바로 전화해 주세요. "
            "가라앉았다면 보건 선생님이나 가까운 병원에 “이런 일이 있었어요” 하고 알려 주세요. 저는 AI라서 몸을 살펴 줄 수 없어요."
        ),
    ),
}

_OTHER_OPENING = (
    "그 사람을 걱정해서 이렇게 물어봐 주었군요. 혼자 감당하기에는 무거운 일이라, 당신 마음도 걱정돼요.\n"
    "먼저 피하지 말고 조용한 곳에서 들어 주세요. “요즘 많이 힘들어 보여. {question}”라고 돌려 말하지 않고 물어도 괜찮아요. 그 질문이 그런 생각을 심지는 않아요.\n"
    "비밀로 해 달라고 해도 안전에 관한 일은 약속하지 말고, 믿을 만한 어른(보호자, 담임 선생님, 상담 선생님)에게 오늘 알려 주세요. "
    "지금 당장 위험해 보이면 곁을 떠나지 말고 {emergency}에 전화하세요. 저는 AI라서 직접 갈 수는 없지만, 어떻게 말을 꺼낼지는 같이 생각할 수 있어요."
)
_OTHER_AGAIN = (
    "계속 마음을 써 주고 있네요. 그 사람이 혼자가 아니라는 걸 느끼는 데에는 당신이 들어 주는 것만으로도 큰 힘이 돼요.\n"
    "다만 당신이 치료사나 보호자가 되어야 하는 건 아니에요. 오늘 알릴 수 있는 어른이 누구인가요? 저는 AI라서 대신 알릴 수 없어요. 아래 번호는 걱정하는 사람이 걸어도 돼요."
)
_OTHER_QUESTION = {
    "suicide": "혹시 죽고 싶다는 생각이 드니?",
    "self_harm": "혹시 스스로를 아프게 하고 있니?",
    "abuse": "누가 너를 때리거나 싫은 행동을 하니?",
    "violence": "누가 너를 괴롭히고 있니?",
    "harm_to_others": "혹시 누군가를 다치게 하고 싶을 만큼 힘드니?",
    "eating": "먹는 게 많이 괴롭니?",
    "panic": "갑자기 숨이 막히거나 무서워지니?",
}
_OTHER_EMERGENCY = {"abuse": "112", "violence": "112", "harm_to_others": "112"}

_CLOSING = (
    "전화가 부담스러우면 109와 1388에 문자로도 이야기할 수 있어요. 믿을 만한 어른 한 사람에게 오늘 마음을 한 문장이라도 보여 주세요.\n"
    "진로 이야기는 그다음에 해도 늦지 않고, 제가 여기서 이어서 들을게요. 지금 마음이 어떤지 더 들려줄래요?"
)
_CLOSING_OTHER = "당신도 지치지 않게 이 번호에 함께 물어보세요. 지금 그 사람은 어떤 상태인지 조금 더 들려줄래요?"
_STILL_WITH_YOU = (
    "아까 들려준 마음이 아직 걱정돼요. 지금은 좀 어떤가요? 다시 죽고 싶거나 위험하다고 느껴지면 언제든 여기 적어 주고, "
    "109(자살예방상담전화)나 1388(청소년상담전화)에는 24시간 사람이 있어요."
)


class Replies:
    """The fixed texts with the numbers of the one table."""

    def __init__(self, helplines: Mapping[str, Helpline]) -> None:
        """``helplines`` by number; a line that is not in it is not printed."""
        self._helplines = helplines

    def crisis(self, kind: str | None, about: str = "self", *, again: bool = False) -> str:
        """The whole answer to somebody in danger, or to somebody who is worried about another person.

        ``again``: the turn before was answered so too, and nobody is helped by the same text twice.
        """
        reply = _SELF.get(kind or "", _SELF["suicide"])
        if about == "other":
            name = kind or "suicide"
            opening = (
                _OTHER_AGAIN
                if again
                else _OTHER_OPENING.format(question=_OTHER_QUESTION[name], emergency=_OTHER_EMERGENCY.get(name, "119"))
            )
            return f"{opening}\n\n{self._lines(reply.lines)}\n\n{_CLOSING_OTHER}"
        return f"{reply.again if again else reply.heard}\n\n{self._lines(reply.lines)}\n\n{_CLOSING}"

    def check_in(self, kind: str | None, about: str = "self") -> str:
        """What stands before a normal answer at ``concern``; ``kind`` None: an earlier turn is the reason."""
        if kind is None:
            return _STILL_WITH_YOU
        reply = _SELF[kind]
        if about == "other":
            return f"{_OTHER_OPENING.format(question=_OTHER_QUESTION[kind], emergency=_OTHER_EMERGENCY.get(kind, '119'))}\n{self._lines(reply.lines[:2])}"
        return f"{reply.check_in}\n{self._lines(reply.lines[:2])}"

    def _lines(self, numbers: tuple[str, ...]) -> str:
        return "\n".join(f"- {self._helplines[number]}" for number in numbers if number in self._helplines)
