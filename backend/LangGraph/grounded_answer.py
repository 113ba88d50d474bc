"""Composing an answer from passages that were found: nothing is said that no passage says.

Each statement is a record's own text, and the number behind it names the passage it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.embedding.majors import Section
from backend.embedding.retriever import Document, Retrieved
from backend.korean import first_sentence, josa
from backend.LangGraph.state import Source

_ASKS_FOR = {
    Section.CURRICULUM: r"배우|배워|배움|배운|과목|커리큘럼|수업|공부하(?:는|나|는지)|교육\s*과정|학년",
    Section.INTEREST: r"적성|맞을|맞는지|맞나|맞을까|어울|성격|흥미|소질|잘\s*맞|어떤\s*(?:사람|학생|성향)",
    Section.JOBS: r"취업|취직|직업|진로|진출|(?:무슨|어떤|하는)\s*일|나오면|나와서|졸업\s*(?:하면|후)|먹고\s*살|될\s*수\s*있",
    Section.QUALIFICATIONS: r"자격증|자격|면허|기사\s*(?:따|시험|자격)|국가고시|국시",
    Section.RELATED: r"차이|다른\s*(?:점|가|건|거|지)|달라|다른지|비교|vs|구분",
}
_ASKS_RECOMMENDATION = re.compile(
    r"추천|무슨\s*(?:학?과|전공)|어떤\s*(?:학?과|전공)|어느\s*(?:학?과|전공)|말고|비슷한\s*(?:학과|과|전공)"
)
_NOT_IN_DATA = {
    "연봉": r"연봉|월급|급여|초봉|수입|돈\s*(?:잘|많이)\s*벌",
    "취업률": r"취업률|취업\s*률|취업이?\s*(?:잘\s*되|될까|되나)",
    "입시 성적": r"등급|내신|수능|입결|커트|컷|경쟁률|합격",
    "등록금": r"등록금|학비",
    "대학 목록": r"어느\s*대학|어떤\s*대학|무슨\s*대학|대학교?\s*추천|있는\s*대학|대학\s*순위",
}


@dataclass
class _Citations:
    """Numbers passages in the order in which they are used."""

    sources: list[Source] = field(default_factory=list)

    def cite(self, document: Document) -> str:
        for source in self.sources:
            if source["id"] == document["id"]:
                return f"[{source['n']}]"
        number = len(self.sources) + 1
        self.sources.append(
            Source(
                n=number,
                id=document["id"],
                title=document["major"],
                field=document["section"],
                snippet=document["text"],
                score=document["score"],
            )
        )
        return f"[{number}]"


def compose_answer(question: str, retrieved: Retrieved) -> tuple[str, list[Source]]:
    """The answer and the passages it cites.

    Majors named in the question are spoken of section by section as asked; two named ones are set side by side; without a name
    the nearest majors are offered with their reason. Where the data has nothing, the answer says so and names the nearest.
    """
    citations = _Citations()
    majors = _by_major(retrieved["documents"])
    named = [major for major in retrieved["named"] if major in majors]
    asked = asked_sections(question)
    paragraphs = _not_in_data(question, retrieved)
    if not majors:
        return "\n\n".join(paragraphs), []
    if len(named) >= 2:
        paragraphs.append(_comparison(named[:3], majors, asked, citations))
    elif named and not _ASKS_RECOMMENDATION.search(question):
        paragraphs += _about(majors[named[0]], asked or [Section.SUMMARY, Section.CURRICULUM, Section.JOBS], citations)
    else:
        offered = [major for major in majors if major not in named or len(majors) == 1]
        paragraphs.append(_recommendation(offered[:4], majors, citations))
        details = [section for section in asked if section is not Section.RELATED]
        if details:
            paragraphs += _about(majors[offered[0]], details, citations)
    return "\n\n".join(paragraphs), citations.sources


def asked_sections(question: str) -> list[Section]:
    """The sections that the question asks for, in the order of its words."""
    places = {section: match.start() for section, words in _ASKS_FOR.items() if (match := re.search(words, question))}
    return sorted(places, key=places.__getitem__)


def _by_major(documents: Iterable[Document]) -> dict[str, dict[Section, Document]]:
    majors: dict[str, dict[Section, Document]] = {}
    for document in documents:
        majors.setdefault(document["major"], {})[Section(document["section"])] = document
    return majors


def _not_in_data(question: str, retrieved: Retrieved) -> list[str]:
    lines = []
    if retrieved["unknown"]:
        lines.append(f"{josa(', '.join(retrieved['unknown']), '은/는')} 제가 가진 자료에 없습니다.")
    elif not retrieved["documents"]:
        lines.append("물어보신 내용에 맞는 학과를 제가 가진 자료에서 찾지 못했습니다.")
    if retrieved["nearest"]:
        lines.append(f"가까운 것은 {', '.join(retrieved['nearest'])}입니다. 이 가운데 궁금한 학과가 있으면 이름을 적어 주세요.")
    absent = [topic for topic, words in _NOT_IN_DATA.items() if re.search(words, question)]
    if absent:
        lines.append(
            f"{josa('·'.join(absent), '은/는')} 제 자료에 없어 말씀드릴 수 없습니다. 커리어넷이나 대학 입학처에서 확인해 주세요."
        )
    return [" ".join(lines)] if lines else []


def _about(major: dict[Section, Document], sections: Sequence[Section], citations: _Citations) -> list[str]:
    name = next(iter(major.values()))["major"]
    paragraphs = []
    for section in sections:
        if section not in major:
            paragraphs.append(f"{name}의 {josa(section, '은/는')} 따로 정해진 것이 자료에 없습니다.")
            continue
        document = major[section]
        heading = f"{name} — {section}"
        paragraphs.append("\n".join([heading, *(f"{line} {citations.cite(document)}" for line in _lines(document))]))
    return paragraphs


def _lines(document: Document) -> list[str]:
    return document["text"].splitlines()


def _comparison(names: list[str], majors: dict[str, dict[Section, Document]], asked: list[Section], citations: _Citations) -> str:
    blocks = []
    differences = [line for name in names for line in _differences(majors[name], names, citations)]
    if differences:
        blocks.append("\n".join(["두 학과의 차이", *differences[:2]]))
    points = [section for section in asked if section is not Section.RELATED] or [
        Section.SUMMARY,
        Section.INTEREST,
        Section.JOBS,
    ]
    for section in points:
        lines = [
            f"- {name}: {' '.join(_lines(majors[name][section]))} {citations.cite(majors[name][section])}"
            for name in names
            if section in majors[name]
        ]
        if lines:
            blocks.append("\n".join([section, *lines]))
    return "\n\n".join(blocks)


def _differences(major: dict[Section, Document], names: list[str], citations: _Citations) -> list[str]:
    document = major.get(Section.RELATED)
    if document is None:
        return []
    others = [name for name in names if name != document["major"]]
    return [
        f"- {document['major']}에서 보면, {line.split(': ', 1)[1]} {citations.cite(document)}"
        for line in _lines(document)
        if line.split(": ", 1)[0] in others
    ]


def _recommendation(names: list[str], majors: dict[str, dict[Section, Document]], citations: _Citations) -> str:
    lines = ["말씀하신 내용과 가까운 학과를 골라 보았습니다."]
    for name in names:
        summary, interest = majors[name][Section.SUMMARY], majors[name][Section.INTEREST]
        lines.append(
            f"- {name}: {first_sentence(summary['text'])} {citations.cite(summary)} "
            f"{first_sentence(interest['text'])} {citations.cite(interest)}"
        )
    return "\n".join(lines)
