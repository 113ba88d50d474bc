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
    JOBS = "진출 직업"
    QUALIFICATIONS = "자격·면허"
    RELATED = "비슷한 학과와 다른 점"
    QUESTION = "학생의 질문"


class RelatedMajor(BaseModel):
    """A major that students confuse with this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    major: PlainText
    difference: PlainText


class Major(BaseModel):
    """One major. Facts only: no salaries, no employment rates, no university lists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    major: PlainText = Field(min_length=2, description="The name, e.g. 컴퓨터공학과")
    field: str = Field(pattern="^(" + "|".join(CATEGORIES) + ")$", description="계열")
    aliases: list[PlainText] = Field(default=[], description="Names that schools give the same department")
    slang: list[PlainText] = Field(default=[], description="What students type: 컴공, 신방과")
    summary: PlainText
    interest: PlainText = Field(description="Interests and aptitude that fit")
    curriculum: dict[PlainText, PlainText] = Field(description="What is learnt, by year: 1학년 → sentence")
    jobs: list[PlainText]
    qualifications: list[PlainText] = Field(default=[], description="Licences and certificates")
    related: list[RelatedMajor] = []
    questions: list[PlainText] = Field(
        default=[], description="What a student whom this major answers might write, without its name"
    )

    @property
    def names(self) -> list[str]:
        """Everything the major is called by."""
        return [self.major, *self.aliases, *self.slang]


@dataclass(frozen=True)
class Passage:
    """A piece of a record that is embedded and found by itself."""

    id: str
    major: str
    category: str
    section: Section
    text: str

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
        (Section.JOBS, "jobs", ", ".join(major.jobs)),
        (Section.QUALIFICATIONS, "qualifications", ", ".join(major.qualifications)),
        (Section.RELATED, "related", "\n".join(f"{other.major}: {other.difference}" for other in major.related)),
        *((Section.QUESTION, f"question{n}", question) for n, question in enumerate(major.questions, 1)),
    ]
    return [Passage(f"{major.major}/{name}", major.major, major.field, section, text) for section, name, text in texts if text]


def read_majors(folder: Path) -> list[Major]:
    """All records of the folder's ``*.jsonl`` files, in the order of their names.

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
