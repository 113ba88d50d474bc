"""Finding majors by name in what people type: official names, aliases, slang, and names that no record has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from backend.embedding.majors import Major

_WORD = re.compile(r"[가-힣A-Za-z0-9]")
_SCHOOL_SUBJECTS = frozenset(
    "국어 수학 영어 한국사 통합사회 통합과학 과학 물리 물리학 화학 생명과학 지구과학 음악 미술 체육 한문 윤리 정보 기술 가정 역사 지리 "
    "철학 심리 논술 종교 환경 보건 진로 제2외국어 독일어 프랑스어 스페인어 중국어 일본어 러시아어 아랍어 베트남어 경제 법 무용 연극 사진 "
    "디자인 미디어".split()
)
"""Words that are a school subject or an everyday word first: alone they do not name a major."""

_EVERYDAY = frozenset("사복 사체 서문 자전 교대 도공 전전 국교 미교 수교".split())
"""Short forms of majors that are everyday words, beside those that the records themselves use as such."""

_TRAILING_PARTICLE = re.compile(r"(?<=..)(?:은|는|이|가|을|를|의|에|도|로|와|과|나|만|에서|으로|하고|이나)$")
_HANGUL_WORD = re.compile(r"[가-힣]+")

_PARTICLE = (
    r"(?:과(?:는|를|가|도|에|의|로|랑|$|\s)|은|는|이|가|을|를|의|에|도|로|으로|랑|이랑|하고|와|만|나|이나|란|이란|라는|이라는|라도|말고|빼고|쪽|전공|졸업|출신|"
    r"다니|나오|나와|나온|가려|가면|가고|갈|간|뭐|뭘|및|보다|까지|부터|처럼|인데|이고|이요|요)"
)
_RIGHT_OF_NAME = re.compile(rf"(?:$|[^가-힣A-Za-z0-9]|vs|{_PARTICLE})", re.IGNORECASE)

_SPEAKS_OF_A_MAJOR = re.compile(
    r"\s*(?:$|[^가-힣A-Za-z0-9\s]|vs|은|는|이[^가-힣]|가[^가-힣]|을|를|에|도|의|로|랑|이랑|나|말고|빼고|대신|"
    r"가고|가려|가면|가서|갈|간|가는|나오|나와|나온|다니|졸업|전망|취업|취직|진학|지원|입시|입학|준비|합격|붙|떨어|재학|"
    r"뭐|뭘|무엇|무슨|어떤|어때|어떻|알려|추천|궁금|배우|배워|과목|수업|커리|자격|면허|적성|차이|중에|중|쪽|관련|비슷|출신|학생|애들|있|없|전과|복전|편입|인데|이고|이요|요)",
    re.IGNORECASE,
)
"""What follows a word that is a major's name and an everyday word too: 사복 졸업하면, but not 사복 입고."""

_EXCLUDED = re.compile(r"\s*(?:은|는)?\s*(?:말고|빼고|제외|외에|아닌|싫|이외)")
_MAJOR_LIKE = re.compile(
    r"([가-힣A-Za-z0-9·ㆍ]*[가-힣A-Za-z0-9](?:학과|공학|공학부|학부|전공|[가-힣]과))"
    r"(?=$|[^가-힣]|에서|에는|에선|에|은|는|이|가|을|를|의|도|랑|하고|로|으로|나|란|라는|말고|뭐|뭘|나오|졸업|가려|있)"
)
_NOT_A_NAME = re.compile(
    r"(?:|이|그|저|두|각|내|제|새|타|부|주|본|.*(?:무슨|어떤|어느|관련|비슷한|다른|좋은|맞는|이런|그런|저런|같은|해당|희망|지원|전체|모든|우리|자기|본인|"
    r"인기|단일|복수|세부|연계))(?:학과|학부|전공|과)$"
)
_COMMON_WORDS_IN_GWA = frozenset(
    "결과 효과 사과 교과 학과 이과 문과 전과 내과 외과 치과 안과 피부과 정신과 산부인과 소아과 성형외과 정형외과 이비인후과 비뇨기과 한의과 통과 초과 "
    "경과 과과 성과 부과 여과 투과 능과 다과 제과 한과 강과 공과 상과 법과 의과 약과 친구과 엄마과 아빠과 예과 본과 농과 전문학과 자연과 것과 사람과 "
    "나과 남과 학생과 공부과 대학과 직업과 현실과 이상과 성적과 취업과 전공 부전공 복수전공 비전공 학부 단과 유과 무과 병과 수과".split()
)


@dataclass(frozen=True)
class NamedMajor:
    """A place in a question where a major is named."""

    major: str
    spelling: str
    start: int
    end: int
    excluded: bool
    """The person wants others: 의예과 말고, 법학과 빼고."""


class MajorNames:
    """All names of the known majors; matching ignores spaces and middle dots and takes the longest name from a word's start."""

    def __init__(self, majors: Iterable[Major]) -> None:
        """The first major that claims a spelling keeps it; official names come before aliases, aliases before slang."""
        majors = list(majors)
        self._by_spelling: dict[str, str] = {}
        for names in (
            [(major.major, major.major) for major in majors],
            [(alias, major.major) for major in majors for alias in major.aliases],
            [(slang, major.major) for major in majors for slang in major.slang],
            [(stem, major.major) for major in majors for name in (major.major, *major.aliases) if (stem := _stem(name))],
        ):
            for spelling, major in names:
                self._by_spelling.setdefault(_squeezed(spelling), major)
        self._longest = max(map(len, self._by_spelling), default=0)
        words = _words_of(majors)
        self._everyday = {
            spelling
            for spelling in self._by_spelling
            if not spelling.endswith("학과") and (spelling.removesuffix("과") in words or spelling in _EVERYDAY)
        }

    def find(self, text: str) -> list[NamedMajor]:
        """Majors named in ``text``, in order of appearance; of overlapping names only the longest."""
        squeezed, positions = _squeezed_with_positions(text)
        found: list[NamedMajor] = []
        start = 0
        while start < len(squeezed):
            match = self._longest_at(text, squeezed, positions, start)
            if match:
                found.append(match)
                start += len(_squeezed(match.spelling))
            else:
                start += 1
        return found

    def _longest_at(self, text: str, squeezed: str, positions: list[int], start: int) -> NamedMajor | None:
        at = positions[start]
        if at > 0 and _WORD.match(text[at - 1]):
            return None
        for length in range(min(self._longest, len(squeezed) - start), 1, -1):
            major = self._by_spelling.get(squeezed[start : start + length])
            if major is None:
                continue
            end = positions[start + length - 1] + 1
            spelling = squeezed[start : start + length]
            if not _is_followed_as_a_name(spelling, text[end:], everyday=spelling in self._everyday):
                continue
            rest = text[end:]
            return NamedMajor(major, text[at:end], at, end, bool(_EXCLUDED.match(rest)))
        return None

    def unknown(self, text: str) -> list[str]:
        """Words that look like a major's name and are none of ours: ["마법학과"]."""
        known = [(named.start, named.end) for named in self.find(text)]
        unknown: list[str] = []
        for match in _MAJOR_LIKE.finditer(text):
            name = match.group(1)
            if any(start < match.end(1) and match.start(1) < end for start, end in known):
                continue
            if name in _COMMON_WORDS_IN_GWA or _NOT_A_NAME.match(name) or len(name) < 3:
                continue
            if not name.endswith(("학과", "학부", "전공", "공학")) and not _looks_like_short_major(name, text[match.end(1) :]):
                continue
            unknown.append(name)
        return list(dict.fromkeys(unknown))


def _is_followed_as_a_name(spelling: str, rest: str, *, everyday: bool) -> bool:
    """Whether what stands behind ``spelling`` lets it be a major's name there."""
    if spelling.endswith("과"):
        if rest.startswith(("정", "목", "학")):  # 교육학과정, 교육학과목, 수학 과학
            return False
        if spelling.endswith("학과"):
            return True
    return bool((_SPEAKS_OF_A_MAJOR if everyday else _RIGHT_OF_NAME).match(rest))


def _words_of(majors: Iterable[Major]) -> set[str]:
    """The words that the records are written in: 음악, 관광, 유교. A short name among them is an everyday word too."""
    words: set[str] = set()
    for major in majors:
        for word in _HANGUL_WORD.findall(" ".join([major.summary, major.interest, *major.curriculum.values()])):
            words.update((word, _TRAILING_PARTICLE.sub("", word)))
    return words


def _looks_like_short_major(name: str, rest: str) -> bool:
    """Whether 드론과 or 카페과 names a major here: nothing but a department is asked about this way."""
    return bool(re.match(r"\s*(?:에서|에 가|가면|나오면|뭐|뭘|는 뭐|는 뭘|는 어떤|은|는|가려|졸업|전망|취업|있나|알려)", rest))


def _stem(name: str) -> str | None:
    """심리학과 → 심리학: people drop the 과. None where the rest is a school subject or too short to be sure."""
    stem = re.sub(r"(?:과|부|전공)$", "", name)
    if stem == name or len(stem) < 3 or stem in _SCHOOL_SUBJECTS:
        return None
    return stem


def _squeezed(text: str) -> str:
    return _squeezed_with_positions(text)[0]


def _squeezed_with_positions(text: str) -> tuple[str, list[int]]:
    """Lower case, without spaces and middle dots, and where each character stood."""
    kept = [(char, position) for position, char in enumerate(text.lower()) if not char.isspace() and char not in "·ㆍ・"]
    return "".join(char for char, _ in kept), [position for _, position in kept]
