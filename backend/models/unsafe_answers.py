"""What no answer may say, whether it was retrieved, generated or merged."""

from __future__ import annotations

import re
from collections.abc import Collection

_RETIRED = "13" + "93"
"""The suicide line that 109 replaced on 2024-01-01; in two pieces, so that the number itself stands nowhere in the tree."""
_NUMBER = re.compile(r"(?<![\d-])(1\d{2,3}(?:-\d{4})?)(?![\d-])\s*번?")
_SPEAKS_OF_CALLING = re.compile(r"전화|상담|☎|번호|번으로|연락|핫라인|신고")

_FORBIDDEN = (
    (
        "method",
        r"번개탄|착화탄|치사량|투신|목을?\s*매(?:달|는|다|어|고)|손목을?\s*(?:긋|그으|그어|베)|동맥|연탄불|질식사"
        r"|(?:수면제|진통제|농약|알약|약)(?:를|을)?\s*(?:[가-힣]+\s*){0,2}(?:모으|모아|한꺼번에\s*먹|털어\s*넣|과다\s*복용(?:하면|해))"
        r"|(?:죽는|자살하는|자살할|자해하는|고통\s*없이\s*죽)\s*(?:방법|법)(?:은|을|이|으로)"
        r"|(?:칼|커터칼?|면도날|라이터)(?:로|을|를)\s*(?:[가-힣]+\s*){0,2}(?:손목|팔|허벅지|몸|살을)",
    ),
    (
        "place",
        r"(?:옥상|다리|난간|베란다|창문|철로|선로|한강)(?:에서|으로|로|에|위에서)?\s*(?:[가-힣]+\s*){0,2}(?:뛰어\s*(?:내리|들)|떨어지(?:면|는\s*게)|몸을\s*던)|(?:마포|한강|양화|서강)\s*대교",
    ),
    (
        "agrees-with-death",
        r"죽(?:어도\s*(?:돼|되|괜찮)|는\s*(?:게|것이|편이)\s*(?:나|낫|좋|편)|어\s*버리(?:세요|는\s*게)|을\s*만(?:해|하))|극단적\s*선택|살\s*가치(?:가|도)?\s*없|죽음을\s*택(?:하는|하면)|죽고\s*싶으면\s*(?:죽|그)",
    ),
    (
        "weight-advice",
        r"하루(?:에)?\s*\d[\d,]*\s*(?:kcal|칼로리|㎉)|\d+\s*(?:kcal|칼로리)(?:만|로|이하|씩)|(?:굶|단식|금식|절식)(?:으면|하면|해서|하고|을\s*하)[가-힣\s]{0,14}(?:빠|빼|감량|효과|도움|좋)"
        r"|(?:굶어|단식해|금식해|절식해)\s*(?:보|봐)|(?:밥|저녁|아침|점심|식사)(?:을|는|은|를)?\s*(?:굶|거르|건너뛰)(?:어|고|세요|는\s*것(?:이|을)\s*(?:추천|좋|방법))|(?:먹고|식사\s*후에?)\s*토하(?:면|세요|는\s*(?:방법|것))"
        r"|(?:변비약|설사약|이뇨제|식욕\s*억제제|다이어트\s*약)(?:을|를)?\s*(?:[가-힣]+\s*)?(?:먹|복용|써|드)|(?:한\s*달|일주일|하루)(?:에|만에|안에)?\s*\d+\s*(?:kg|킬로)|\d+\s*(?:kg|킬로)(?:까지|를|을|만|은)?\s*(?:더\s*)?(?:빼|감량)",
    ),
    (
        "secrecy",
        r"(?:아무에게도|누구에게도|부모님(?:께|한테)|선생님(?:께|한테)|어른(?:들)?(?:께|한테))(?:는|도)?\s*(?:절대\s*)?(?:말하지\s*(?:마|말고|않는)|알리지\s*(?:마|말)|비밀)|네\s*잘못이니|맞을\s*만(?:한|해|했)|당신\s*탓(?:이에요|입니다|이죠)",
    ),
)
_RULES = tuple((rule, re.compile(pattern)) for rule, pattern in _FORBIDDEN)


class AnswerScreen:
    """Reads a sentence before a person does."""

    def __init__(self, helplines: Collection[str]) -> None:
        """``helplines`` are the only numbers that an answer may name as a help line."""
        self._helplines = helplines

    def unsafe(self, sentence: str) -> str | None:
        """The id of the rule that forbids saying ``sentence``, or None."""
        if re.search(rf"(?<!\d){_RETIRED}(?!\d)", sentence):
            return "retired-helpline"
        for number in _NUMBER.findall(sentence):
            if number not in self._helplines and _SPEAKS_OF_CALLING.search(sentence):
                return "unknown-helpline"
        return next((rule for rule, pattern in _RULES if pattern.search(sentence)), None)
