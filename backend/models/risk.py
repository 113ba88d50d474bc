"""The crisis screen: plain rules over what a person wrote and over what Jindam is about to say.

Nothing here depends on generated text, and a rule that fires is never overruled by a model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from backend.models.helplines import Helpline

Level = Literal["none", "concern", "crisis"]


@dataclass(frozen=True)
class RiskFound:
    """What the screen saw; ``rule`` is for logs, which never hold the text."""

    level: Level
    kind: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class _Rule:
    id: str
    level: Level
    kind: str
    pattern: re.Pattern[str]


def _rule(id: str, level: Level, kind: str, pattern: str) -> _Rule:
    return _Rule(id, level, kind, re.compile(pattern))


# Written over text whose spaces are kept, with \s* where people leave them out; deleting all spaces finds 투자해 and 혼자 살.
_RULES = (
    _rule("suicide-wish", "crisis", "suicide", r"죽고\s*(?:만\s*)?(?:싶|시퍼|시픔)|죽어\s*버리고\s*싶|죽는\s*게\s*(?:나|낫)|살기\s*싫|살고\s*싶지\s*않|(?<![가-힣])자살(?!\s*예방|론|골)"),
    _rule("suicide-euphemism", "crisis", "suicide", r"사라지고\s*싶|없어지고\s*싶|세상을?\s*(?:떠나|등지)고\s*싶|다\s*끝내\s*(?:버리)?고\s*싶|안\s*깨어났으면|(?<![가-힣])유서(?:를|도|는|\s|$)"),
    _rule("self-harm", "crisis", "self_harm", r"(?<![가-힣])자해(?![가-힣]*\s*예방)|(?:손목|팔)을?\s*(?:긋|그었|그어|칼로)"),
    _rule("abuse", "crisis", "abuse", r"(?:아빠|엄마|아버지|어머니|부모님?|삼촌|새아빠|새엄마|오빠|형|선생님?)(?:가|이|께서|한테)?\s*(?:(?:저를|나를|절|날|자꾸|맨날|매일|또|술만 마시면)\s*){0,3}(?:때려|때린|때리|패요|팬다|팹니다|성추행|만져요|만집니다)"),
    _rule("violence", "concern", "violence", r"(?<![가-힣])왕따|따돌림|빵셔틀|학교\s*폭력을?\s*당|맞고\s*다녀"),
    _rule("eating", "concern", "eating", r"먹토|씹뱉|프로아나|먹고\s*토해"),
    _rule("panic", "concern", "panic", r"숨이?\s*(?:안|못)\s*쉬|공황"),
)  # fmt: skip

# "죽고 싶지 않다" is none; "죽고 싶지 않은 날이 없다" is what it says.
_NEGATED = re.compile(r"(?:죽고|사라지고|없어지고)\s*싶(?:지\s*(?:는\s*)?않|진\s*않)(?!은\s*날)")
_HELPING_CAREER = re.compile(r"(?:자살|자해|학교\s*폭력|공황|따돌림)\s*(?:예방|상담|연구|관련|대응|치료)")
_UNSEEN = re.compile(r"[\u200b-\u200f\u2060\ufeff]")


class RiskScreen:
    """Reads a message for risk and an answer for what must not be said."""

    def __init__(self, helplines: dict[str, Helpline]) -> None:
        """``helplines`` are the only numbers that an answer may name as a help line."""
        self.helplines = helplines

    def assess(self, text: str) -> RiskFound:
        """The gravest rule that fires."""
        plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
        plain = _NEGATED.sub(" ", plain)
        plain = _HELPING_CAREER.sub(" ", plain)
        fired = [rule for rule in _RULES if rule.pattern.search(plain)]
        for rule in sorted(fired, key=lambda rule: rule.level != "crisis"):
            return RiskFound(rule.level, rule.kind, rule.id)
        return RiskFound("none")

    def unsafe(self, sentence: str) -> str | None:
        """The id of the rule that forbids saying ``sentence``, or None."""
        for number in re.findall(r"(?<![\d-])(1\d{2,3}(?:-\d{4})?)(?![\d-])\s*번?", sentence):
            if number not in self.helplines and _SPEAKS_OF_CALLING.search(sentence):
                return "unknown-helpline"
        if _METHOD.search(sentence):
            return "method"
        return None

    def reply(self, kind: str | None) -> str:
        """The fixed reply to a crisis of this kind."""
        opening = _OPENINGS.get(kind or "", _OPENINGS["suicide"])
        lines = self._lines(_LINES.get(kind or "", ("109", "1388", "1577-0199", "119")))
        return f"{opening}\n\n{lines}\n\n{_CLOSING}"

    def _lines(self, numbers: Collection[str]) -> str:
        return "\n".join(f"- {self.helplines[number]}" for number in numbers if number in self.helplines)


_SPEAKS_OF_CALLING = re.compile(r"전화|상담|☎|번호|번으로|연락|핫라인")
_METHOD = re.compile(r"번개탄|수면제를?\s*(?:모으|먹고\s*죽)|목을?\s*매(?:는|다|어)|투신|치사량|극단적\s*선택")

_OPENINGS = {
    "suicide": (
        "지금 얼마나 버거우면 그런 말이 나왔을까 싶어요. 이야기해 줘서 고마워요.\n"
        "돌려 묻지 않을게요. 지금 죽고 싶다는 생각이 드나요? 혼자 있나요? 저는 AI라서 곁에 가 있을 수는 없지만, 여기서 계속 들을 수 있어요.\n"
        "지금 바로 위험하다고 느껴지면 119에 전화하거나, 가까이 있는 어른에게 “혼자 있기 무서워요”라고 말해 주세요."
    ),
    "self_harm": (
        "스스로를 아프게 할 만큼 견디기 힘든 마음이 있었군요. 말해 줘서 고마워요.\n"
        "혹시 지금 다친 곳이 있나요? 죽고 싶다는 생각도 드나요? 저는 AI라서 상처를 돌봐 줄 수는 없지만, 여기서 계속 들을 수 있어요.\n"
        "다친 곳이 있다면 119나 가까운 어른에게 먼저 알려 주세요."
    ),
    "abuse": (
        "그런 일을 겪고 있다니 많이 무서웠을 것 같아요. 당신 잘못이 아니에요.\n"
        "지금 안전한 곳에 있나요? 저는 AI라서 직접 지켜 줄 수는 없지만, 도와줄 수 있는 사람에게 닿는 길은 알려 줄 수 있어요.\n"
        "지금 위험하다면 112에 바로 전화해 주세요. 학교 선생님께 말해도 선생님은 도와주고 신고할 의무가 있어요."
    ),
}
_LINES = {
    "suicide": ("109", "1388", "1577-0199", "119"),
    "self_harm": ("109", "1388", "1577-0199", "119"),
    "abuse": ("112", "1366", "1388"),
}
_CLOSING = (
    "전화가 부담스러우면 문자나 채팅으로도 이야기할 수 있어요. 믿을 만한 어른 한 사람에게 오늘 있었던 마음을 한 문장이라도 보여 주세요.\n"
    "진로 이야기는 그다음에 해도 늦지 않아요. 지금 마음이 어떤지 더 들려줄래요?"
)
