"""The crisis screen: rules over what a person wrote, or-ed with a classifier; then the conversation's frame.

Nothing here depends on generated text. A rule that fires is never overruled by the classifier, and what neither of them sees in
a single turn may still be seen in the light of the turns before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from typing_extensions import TypedDict

from backend.models import risk_rules
from backend.models.risk_classifier import RiskClassifier

Level = Literal["none", "concern", "crisis"]
About = Literal["self", "other"]

FRAME_TURNS = 8
"""Turns after a crisis that are read in its light."""
_DENIALS_TO_LEAVE = 2
_SURE = 0.95
"""Probability that the classifier needs against a plain denial ("죽고 싶은 건 아니에요"), whose words it has learnt as dangerous."""


@dataclass(frozen=True)
class RiskFound:
    """What the screen saw; ``rule`` is for logs, which never hold the text. ``kind`` None at ``concern``: an earlier turn's."""

    level: Level
    kind: str | None = None
    rule: str | None = None
    about: About = "self"


class Frame(TypedDict):
    """What a crisis leaves behind in a thread."""

    kind: str | None
    about: About
    turns_left: int
    denials: int
    asked: bool
    """The turn before was answered with a crisis reply, which asks a plain question."""


class RiskScreen:
    """Reads a message for risk."""

    def __init__(self, classifier: RiskClassifier) -> None:
        """``classifier`` is asked where the rules see no crisis."""
        self._classifier = classifier

    def by_rules(self, text: str) -> RiskFound:
        """What the rules alone see."""
        hit = risk_rules.find(text)
        return RiskFound(hit.level, hit.kind, hit.rule, hit.about) if hit else RiskFound("none")

    def assess(self, text: str, vector: Sequence[float]) -> RiskFound:
        """What rules or classifier see, the graver of the two; ``vector`` is the text's query embedding."""
        found = self.by_rules(text)
        if found.level == "crisis":
            return found
        judged = self._classifier.judge(text, vector)
        if judged is None or (found.level == "concern" and judged.level == "concern"):
            return found
        if found.level == "none" and judged.probability < _SURE and risk_rules.is_denied(text):
            return found
        about: About = "other" if risk_rules.is_about_another(text) else "self"
        return RiskFound(judged.level, judged.kind, "classifier", about)


def open_frame(kind: str | None, about: About = "self") -> Frame:
    """The frame that a crisis turn opens."""
    return Frame(kind=kind, about=about, turns_left=FRAME_TURNS, denials=0, asked=True)


def in_frame(text: str, found: RiskFound, frame: Frame | None) -> tuple[RiskFound, Frame | None]:
    """What a turn means after the turns before it, and the frame that it leaves.

    Within :data:`FRAME_TURNS` turns of a crisis nothing falls below ``concern``. A short reply to our plain question is read as
    an answer to it: only a denial or another subject lowers the level, "응" and "모르겠어요" do not. The frame ends when its turns
    are over, or when the person has denied the danger twice; the rule ids ``frame-over`` and ``frame-denied`` record which.
    """
    if found.level == "crisis":
        return found, open_frame(found.kind, found.about)
    if frame is None:
        return found, None
    left = frame["turns_left"] - 1
    denies = bool(_DENIES.search(text))
    if frame["asked"] and not denies and _SHORT_ANSWER.match(text.strip()):
        return RiskFound("crisis", frame["kind"], "frame-affirmed", frame["about"]), open_frame(frame["kind"], frame["about"])
    denials = frame["denials"] + denies
    kept = found if found.level == "concern" else RiskFound("concern", None, "frame", frame["about"])
    if denials >= _DENIALS_TO_LEAVE:
        return replace(kept, rule="frame-denied"), None
    if left <= 0:
        return replace(kept, rule="frame-over"), None
    return kept, Frame(kind=frame["kind"], about=frame["about"], turns_left=left, denials=denials, asked=False)


_DENIES = re.compile(
    r"^\W*(?:아니|아뇨|아녀|안\s*그래|ㄴㄴ|노노|괜찮|ㄱㅊ|갠찮|괜찬|없어|없음|없습|안\s*(?:해|들|할|죽)|장난|농담|뻥|그\s*정도는?\s*아니|그런\s*(?:건|거|뜻|생각)(?:은|이)?\s*(?:전혀\s*)?(?:아니|없|안))"
    r"|(?:그런|죽고\s*싶|죽을|나쁜|해칠|자해)\s*(?:은\s*)?(?:생각|마음|뜻|의도|건|거)(?:은|는|이|도)?\s*(?:이제\s*|정말\s*|진짜\s*|전혀\s*|절대\s*|지금은\s*|요즘은\s*)*(?:없|안\s*(?:들|해|나)|아니|들지\s*않|사라졌)"
    r"|(?:이제|지금은|오늘은|정말|진짜)\s*(?:[가-힣]+\s*)?(?:괜찮|안전|나아졌|진정됐|가라앉)"
)
_SHORT_ANSWER = re.compile(
    r"^\W*(?:"
    r"(?:응+|웅+|어+|엉|네+|넵|넹|예|ㅇㅇ+|ㅇ|ㅇㅋ|그래|그래요|맞아요?|맞음|맞습니다|그렇습니다|그런\s*(?:것|거)\s*같아요?|그런\s*듯(?:요|해요)?|조금요?|좀|약간요?|가끔요?|자주요?|매일요?|맨날요?|항상요?|계속요?|늘|지금도요?|아직도요?|지금요?|많이요?|종종|때때로|밤마다|매번|언제나)"
    r"|(?:몰라|모르겠|글쎄|그냥|잘\s*모르|말하기\s*싫|말\s*못|아무것도|상관\s*없|혼자|ㅠ+|ㅜ+|\.+|…+|ㅎ+|휴+|하+|흠+|음+)[가-힣ㄱ-ㅎㅏ-ㅣ\s.,!~…]{0,10}"
    r")"
    r"(?:[\s,.!~…ㅠㅜㅋㅎ]+(?:응|네|맞아요?|조금요?|가끔요?|자주|그런\s*생각\s*(?:들|해|나)[가-힣]*|들어요?|그래요?|혼자[가-힣]*|있어요?|해요|나요|지금도요?|계속|매일|좀|그냥|몰라요?|요즘)){0,4}"
    r"[\s.,!~…ㅠㅜㅋㅎ]*$|^\W*$"
)
