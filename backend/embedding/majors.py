"""Major records: what a university major teaches, whom it suits, where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from backend.errors import JindamError
from backend.jsonl import read_jsonl
from backend.plain_text import without_markup

PlainText = Annotated[str, AfterValidator(without_markup)]
"""Text that answers quote: whoever wrote the record, nothing in it can act on the page that shows it."""

CATEGORIES = ("인문", "사회", "교육", "공학", "자연", "의약", "예체능")


class Section(StrEnum):
    """The parts of a record that a passage can come from; the value is the title a reader sees."""

    SUMMARY = "학과 소개"
    INTEREST = "흥미와 적성"
    CURRICULUM = "배우는 내용"
    FEATURES = "학과의 특성"
    JOBS = "진출 직업"
    QUALIFICATIONS = "자격·면허"
    EMPLOYMENT = "취업 현황"
    RELATED = "비슷한 학과와 다른 점"
    UNIVERSITIES = "개설 대학"
    QUESTION = "학생의 질문"


SHIPPED = "진담 학과 자료"
"""Where a record comes from unless it says otherwise, in a reader's words."""

_ONLY_LOOKED_UP = frozenset({Section.EMPLOYMENT, Section.UNIVERSITIES})
"""Sections that answer when they are asked for by name, and that no message resembles."""


class RelatedMajor(BaseModel):
    """A major that students confuse with this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    major: PlainText
    difference: PlainText


class Offering(BaseModel):
    """A department that teaches the major."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    school: PlainText
    department: PlainText


class Major(BaseModel):
    """One major. The shipped records hold facts only: no pay, no employment, no universities; another corpus may."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    major: PlainText = Field(min_length=2, description="The name, e.g. 컴퓨터공학과")
    field: str | None = Field(default=None, pattern="^(" + "|".join(CATEGORIES) + ")$", description="계열")
    aliases: list[PlainText] = Field(default=[], description="Names that schools give the same department")
    slang: list[PlainText] = Field(default=[], description="What students type: 컴공, 신방과")
    summary: PlainText
    interest: PlainText = Field(description="Interests and aptitude that fit")
    curriculum: dict[PlainText, PlainText] = Field(default={}, description="What is learnt, by year: 1학년 → sentence")
    features: PlainText = Field(default="", description="What is particular to the major, in a paragraph")
    jobs: list[PlainText]
    qualifications: list[PlainText] = Field(default=[], description="Licences and certificates")
    related: list[RelatedMajor] = []
    questions: list[PlainText] = Field(
        default=[], description="What a student whom this major answers might write, without its name"
    )
    employment: str | None = Field(
        default=None, pattern=r"^\d{1,2}% 이상$", description="Share of graduates in work: a band, its year unknown"
    )
    monthly_pay: float | None = Field(default=None, gt=0, description="Graduates' mean monthly pay in 만원, its year unknown")
    universities: list[Offering] = []
    origin: PlainText = Field(default=SHIPPED, description="Where the texts come from, as a reader is told")
    attached: bool = Field(default=False, description="Aliases, slang, questions and differences are the shipped ones")

    @property
    def names(self) -> list[str]:
        """Everything the major is called by."""
        return [self.major, *self.aliases, *self.slang]


@dataclass(frozen=True)
class Passage:
    """A piece of a record that is embedded and found by itself."""

    id: str
    major: str
    section: Section
    text: str
    origin: str = SHIPPED

    @property
    def embedded_text(self) -> str:
        """What is embedded: the text under its major and section. A question stands alone, for it must meet another question."""
        if self.section is Section.QUESTION:
            return self.text
        return f"{self.major} {self.section}\n{self.text}"


def passages_of(major: Major) -> list[Passage]:
    """A record's passages, one a section and one a question. Empty sections give none."""
    texts: list[tuple[Section, str, str]] = [
        (Section.SUMMARY, "summary", major.summary),
        (Section.INTEREST, "interest", major.interest),
        (Section.CURRICULUM, "curriculum", "\n".join(f"{year}: {text}" for year, text in major.curriculum.items())),
        (Section.FEATURES, "features", major.features),
        (Section.JOBS, "jobs", ", ".join(major.jobs)),
        (Section.QUALIFICATIONS, "qualifications", ", ".join(major.qualifications)),
        (Section.EMPLOYMENT, "employment", _employment(major)),
        (Section.RELATED, "related", "\n".join(f"{other.major}: {other.difference}" for other in major.related)),
        (Section.UNIVERSITIES, "universities", _universities(major)),
        *((Section.QUESTION, f"question{n}", question) for n, question in enumerate(major.questions, 1)),
    ]
    ours = {Section.RELATED, Section.QUESTION} if major.attached else frozenset[Section]()
    return [
        Passage(f"{major.major}/{name}", major.major, section, text, SHIPPED if section in ours else major.origin)
        for section, name, text in texts
        if text
    ]


def searched_passages_of(major: Major) -> list[Passage]:
    """The passages that a message can be like, and that are therefore embedded."""
    return [passage for passage in passages_of(major) if passage.section not in _ONLY_LOOKED_UP]


def _employment(major: Major) -> str:
    lines = []
    if major.employment:
        lines.append(f"취업률은 {major.employment} 구간입니다. 어느 해에 조사한 것인지는 자료에 없습니다.")
    if major.monthly_pay:
        lines.append(f"졸업자의 월평균 임금은 {major.monthly_pay:g}만 원으로 적혀 있습니다. 역시 조사 연도는 자료에 없습니다.")
    return "\n".join(lines)


def _universities(major: Major) -> str:
    """A line a school: 강서대학교: 간호학과, 간호학부."""
    departments: dict[str, list[str]] = {}
    for offering in major.universities:
        departments.setdefault(offering.school, []).append(offering.department)
    return "\n".join(f"{school}: {', '.join(dict.fromkeys(names))}" for school, names in sorted(departments.items()))


def read_majors(folder: Path) -> list[Major]:
    """All records of the folder's ``*.jsonl`` files, in the order of the files' names.

    Raises:
        JindamError: a line is not a major record, or a name occurs twice; the message names file and line.

    """
    majors: dict[str, Major] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for major in read_jsonl(file, Major, "data/README.md의 학과 자료 형식"):
            if major.major in majors:
                raise JindamError(
                    f"학과가 두 번 나옵니다: {major.major}",
                    why=f"{file.name}에 앞서 나온 학과가 또 있습니다.",
                    fix="둘 가운데 하나를 지워 주세요.",
                )
            majors[major.major] = major
    if not majors:
        raise JindamError(
            "학과 자료가 비어 있습니다.",
            why=f"{folder} 안에 학과가 든 .jsonl 파일이 없습니다.",
            fix="JINDAM_DATA가 가리키는 폴더를 확인해 주세요.",
        )
    return list(majors.values())
