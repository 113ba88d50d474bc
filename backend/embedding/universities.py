"""Which university has which major: a look-up by the names of both, never by likeness."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from backend.embedding.majors import Major
from backend.embedding.retrieved import Document

_SHORT_ENDINGS = [
    ("교육대학교", "교대"),
    ("과학기술대학교", "과기대"),
    ("여자대학교", "여대"),
    ("외국어대학교", "외대"),
    ("대학교", "대"),
]
_CALLED = {
    "카이스트": "한국과학기술원",
    "포스텍": "포항공과대학교",
    "포항공대": "포항공과대학교",
    "지스트": "광주과학기술원",
    "디지스트": "대구경북과학기술원",
    "유니스트": "울산과학기술원",
    "한예종": "한국예술종합학교",
    "방통대": "한국방송통신대학교",
    "방송대": "한국방송통신대학교",
    "교원대": "한국교원대학교",
    "해양대": "한국해양대학교",
    "항공대": "한국항공대학교",
    "외대": "한국외국어대학교",
}
"""What students call a school beside its name and the short form that its ending gives."""

_LIKE_A_SCHOOL = re.compile(
    r"(?<![가-힣])([가-힣]{2,10}(?:대학교|과학기술원)|[가-힣]{2,6}대)(?=에는|에서|에도|에\s|에$|의\s|는\s|엔\s|도\s|랑\s|$|\s|[?!.,])"
)
_NO_SCHOOL = re.compile(
    r"(?:^|[가-힣])(?:무슨|어느|어떤|전문|사관|지방|국립|사립|사이버|4년제|이공|공|의|치|약|한의|법|사범|사회|인문|자연|예술|예|체|음|"
    r"미|상|경상|문과|간호|수의|농|생활과학|자연과학|사회과학|공과|약학|의과|군|입|기|확|연|세|시|무|등|침|상담|반|절|중|최|거|현|고|한|그|이|저)대(?:학교?)?$"
)
"""Words that end like a school and are none: 무슨 대학, 공대, 기대."""


class Universities:
    """The universities of the records. Empty where the records name none."""

    def __init__(self, majors: Iterable[Major]) -> None:
        """Read the records' ``universities``."""
        self._taught: dict[str, dict[str, list[str]]] = defaultdict(dict)
        origins: dict[str, str] = {}
        for major in majors:
            for offering in major.universities:
                self._taught[offering.school].setdefault(major.major, []).append(offering.department)
                origins.setdefault(offering.school, major.origin)
        self._origins = origins
        self._by_spelling: dict[str, str] = {}
        for school in self._taught:
            self._by_spelling.setdefault(school, school)
        for school in self._taught:
            for ending, short in _SHORT_ENDINGS:
                if school.endswith(ending):
                    self._by_spelling.setdefault(school.removesuffix(ending) + short, school)
        for called, school in _CALLED.items():
            if school in self._taught:
                self._by_spelling.setdefault(called, school)
        spellings = sorted(map(re.escape, self._by_spelling), key=len, reverse=True)
        self._named = (
            re.compile(rf"(?<![가-힣])(?:{'|'.join(spellings)})(?!입구|학교|학원|생각|[가-힣]*역\b)") if spellings else None
        )

    def __bool__(self) -> bool:
        """Whether any record names a university."""
        return bool(self._taught)

    def named(self, text: str) -> list[str]:
        """The schools that ``text`` names, in its order; of overlapping names the longest."""
        if self._named is None:
            return []
        return list(dict.fromkeys(self._by_spelling[match.group()] for match in self._named.finditer(text)))

    def found(self, text: str) -> list[Document]:
        """The schools that ``text`` names, each with a line for each major: 간호학과: 간호학부, 간호학전공."""
        return [
            Document(
                id=f"{school}/majors",
                title=school,
                section="개설 학과",
                text="\n".join(
                    f"{major}: {', '.join(dict.fromkeys(departments))}"
                    for major, departments in sorted(self._taught[school].items())
                ),
                score=1.0,
                origin=self._origins[school],
            )
            for school in self.named(text)
        ]

    def unknown(self, text: str) -> list[str]:
        """Words of ``text`` that look like a university and are in no record; none where the records name no university."""
        if not self._taught:
            return []
        spelled = [name for name in _LIKE_A_SCHOOL.findall(text) if not _NO_SCHOOL.search(name)]
        return list(dict.fromkeys(name for name in spelled if not self.named(name)))
