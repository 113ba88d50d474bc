"""Composing an answer from what was found: nothing is said that no passage says.

Each statement is a record's or a document's own text, and the number behind it names the passage it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.embedding.lexical import bigrams
from backend.embedding.majors import Section
from backend.embedding.retrieved import Document, Retrieved
from backend.korean import first_sentence, josa, sentences
from backend.LangGraph.state import Source

_ASKS_FOR = {
    Section.CURRICULUM: r"배우|배워|배움|배운|과목|커리큘럼|수업|공부하(?:는|나|는지)|교육\s*과정|학년",
    Section.INTEREST: r"적성|맞을|맞는지|맞나|맞을까|어울|성격|흥미|소질|잘\s*맞|어떤\s*(?:사람|학생|성향)",
    Section.JOBS: r"취업(?!\s*(?:률|이?\s*(?:잘|얼마나)\s*되))|취직|직업|진로|진출|(?:무슨|어떤|하는)\s*일|나오면|나와서|"
    r"졸업\s*(?:하면|후)|먹고\s*살|될\s*수\s*있",
    Section.QUALIFICATIONS: r"자격증|자격|면허|기사\s*(?:따|시험|자격)|국가고시|국시",
    Section.RELATED: r"차이|다른\s*(?:점|가|건|거|지)|달라|다른지|비교|vs|구분",
    Section.EMPLOYMENT: r"취업\s*률|취업이?\s*(?:잘|얼마나)\s*되|연봉|월급|급여|초봉|임금|수입|"
    r"돈\s*(?:을\s*)?(?:잘|많이|얼마나)\s*벌",
    Section.UNIVERSITIES: r"(?:어느|어떤|무슨)\s*(?:대학|학교)|(?:있는|개설된?|개설한|가르치는|갈\s*수\s*있는)\s*(?:대학|학교)|"
    r"대학교?\s*(?:목록|리스트|추천|순위|어디)|어디(?:에|에\s*있는)?\s*(?:대학|학교)|(?:대학|학교)(?:은|는|이|가)?\s*(?:어디|몇)",
}
_ASKS_RECOMMENDATION = re.compile(
    r"추천|무슨\s*(?:학?과|전공)|어떤\s*(?:학?과|전공)|어느\s*(?:학?과|전공)|말고|비슷한\s*(?:학과|과|전공)"
)
_PAY = re.compile(r"연봉|월급|급여|초봉|임금|수입|돈")
_RATE = re.compile(r"취업\s*률|취업이?\s*(?:잘|얼마나)")
_ADMISSION = re.compile(r"등급|내신|수능|입결|커트|컷|경쟁률|합격")
_FEES = re.compile(r"등록금|학비")
_WHETHER_TAUGHT = re.compile(r"있(?:나|어|는지|을까|습니까|냐|니)|없(?:나|어|는지|을까)")

_INSTEAD = {Section.CURRICULUM: (Section.FEATURES, Section.SUMMARY)}
"""What to say where a record has no such section, nearest first."""
_SCHOOLS_SHOWN = 15
_MAJORS_SHOWN = 40
_SHORT = 220
"""Characters of a chunk that is quoted whole."""


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
                title=document["title"],
                field=document["section"],
                snippet=document["text"],
                score=document["score"],
                origin=document["origin"],
            )
        )
        return f"[{number}]"


def compose_answer(question: str, retrieved: Retrieved) -> tuple[str, list[Source]]:
    """The answer and the passages it cites.

    Majors named in the question are spoken of section by section as asked; two named ones are set side by side; without a name
    the nearest majors are offered with their reason. A named university is looked up. Own documents that fit are quoted. Where
    the data has nothing, the answer says so and names the nearest.
    """
    citations = _Citations()
    majors = _by_major(retrieved["documents"])
    named = [major for major in retrieved["named"] if major in majors]
    asked = asked_sections(question)
    paragraphs = _not_in_data(question, retrieved, majors, asked)
    looked_up = _at_schools(retrieved, named, asked, citations)
    paragraphs += looked_up
    if retrieved["unknown_schools"] and (Section.UNIVERSITIES in asked or _WHETHER_TAUGHT.search(question)):
        looked_up = [f"{josa(', '.join(retrieved['unknown_schools']), '은/는')} 제가 가진 자료에 없는 학교입니다."]
        paragraphs += looked_up
    asked = [section for section in asked if not (looked_up and section is Section.UNIVERSITIES)]
    if not looked_up or (named and asked):
        paragraphs += _of_majors(question, majors, named, asked, citations)
    paragraphs += _from_documents(question, retrieved["chunks"], citations)
    return "\n\n".join(paragraphs), citations.sources


def asked_sections(question: str) -> list[Section]:
    """The sections that the question asks for, in the order of its words."""
    places = {section: match.start() for section, words in _ASKS_FOR.items() if (match := re.search(words, question))}
    return sorted(places, key=places.__getitem__)


def _by_major(documents: Iterable[Document]) -> dict[str, dict[Section, Document]]:
    majors: dict[str, dict[Section, Document]] = {}
    for document in documents:
        majors.setdefault(document["title"], {})[Section(document["section"])] = document
    return majors


def _of_majors(
    question: str,
    majors: dict[str, dict[Section, Document]],
    named: list[str],
    asked: list[Section],
    citations: _Citations,
) -> list[str]:
    if len(named) >= 2:
        return [_comparison(question, named[:3], majors, asked, citations)]
    if named and not _ASKS_RECOMMENDATION.search(question):
        return _about(question, majors[named[0]], asked or _overview(majors[named[0]]), citations)
    if not majors:
        return []
    offered = [major for major in majors if major not in named or len(majors) == 1]
    details = [section for section in asked if section is not Section.RELATED and section in majors[offered[0]]]
    return [_recommendation(question, offered[:4], majors, citations), *_about(question, majors[offered[0]], details, citations)]


def _not_in_data(
    question: str, retrieved: Retrieved, majors: dict[str, dict[Section, Document]], asked: Sequence[Section]
) -> list[str]:
    lines = []
    if retrieved["unknown"]:
        lines.append(f"{josa(', '.join(retrieved['unknown']), '은/는')} 제가 가진 자료에 없습니다.")
    elif not (retrieved["documents"] or retrieved["chunks"] or retrieved["schools"] or retrieved["unknown_schools"]):
        lines.append("물어보신 내용에 맞는 학과를 제가 가진 자료에서 찾지 못했습니다.")
    if retrieved["nearest"] and not retrieved["chunks"] and not retrieved["schools"] and not retrieved["unknown_schools"]:
        lines.append(f"가까운 것은 {', '.join(retrieved['nearest'])}입니다. 이 가운데 궁금한 학과가 있으면 이름을 적어 주세요.")
    absent = _absent_topics(question, retrieved, {section for major in majors.values() for section in major}, asked)
    if absent and not retrieved["chunks"]:
        lines.append(
            f"{josa('·'.join(absent), '은/는')} 제 자료에 없어 말씀드릴 수 없습니다. 커리어넷이나 대학 입학처에서 확인해 주세요."
        )
    return [" ".join(lines)] if lines else []


def _absent_topics(question: str, retrieved: Retrieved, held: set[Section], asked: Sequence[Section]) -> list[str]:
    """What is asked for and no record of this collection tells."""
    absent = []
    if Section.EMPLOYMENT in asked and Section.EMPLOYMENT not in held:
        absent += ["연봉"] if _PAY.search(question) else []
        absent += ["취업률"] if _RATE.search(question) else []
    absent += ["입시 성적"] if _ADMISSION.search(question) else []
    absent += ["등록금"] if _FEES.search(question) else []
    if Section.UNIVERSITIES in asked and Section.UNIVERSITIES not in held and not retrieved["schools"]:
        absent.append("대학 목록")
    return absent


def _overview(major: dict[Section, Document]) -> list[Section]:
    learnt = Section.CURRICULUM if Section.CURRICULUM in major else Section.FEATURES
    return [section for section in (Section.SUMMARY, learnt, Section.JOBS) if section in major]


def _about(question: str, major: dict[Section, Document], sections: Sequence[Section], citations: _Citations) -> list[str]:
    name = next(iter(major.values()))["title"]
    paragraphs = []
    for asked in sections:
        section = _held(asked, major)
        if section is None:
            if asked not in (Section.EMPLOYMENT, Section.UNIVERSITIES):  # told before, for all majors
                paragraphs.append(f"{name}의 {josa(asked, '은/는')} 따로 정해진 것이 자료에 없습니다.")
            continue
        document = major[section]
        lines = [f"{line} {citations.cite(document)}" for line in _lines(question, document)]
        more = len(document["text"].splitlines()) - _SCHOOLS_SHOWN
        if section is Section.UNIVERSITIES and more > 0:
            lines.append(f"이 밖에 {more}곳이 더 자료에 있습니다. 학교 이름을 적어 주시면 그곳에 있는지 찾아 드립니다.")
        paragraphs.append("\n".join([f"{name} — {section}", *lines]))
    return paragraphs


def _held(asked: Section, major: dict[Section, Document]) -> Section | None:
    return next((section for section in (asked, *_INSTEAD.get(asked, ())) if section in major), None)


def _lines(question: str, document: Document) -> list[str]:
    """The lines of a section that answer: of pay and employment what was asked, of universities the first."""
    lines: list[str] = document["text"].splitlines()
    if document["section"] == Section.UNIVERSITIES:
        return lines[:_SCHOOLS_SHOWN]
    if document["section"] == Section.EMPLOYMENT and bool(_PAY.search(question)) != bool(_RATE.search(question)):
        asked = "임금" if _PAY.search(question) else "취업률"
        return [line for line in lines if asked in line] or lines
    return lines


def _at_schools(retrieved: Retrieved, named: list[str], asked: Sequence[Section], citations: _Citations) -> list[str]:
    """What the universities in the question teach: the named majors, or all."""
    paragraphs = []
    for school in retrieved["schools"]:
        taught = dict(line.split(": ", 1) for line in school["text"].splitlines())
        if named:
            paragraphs.append("\n".join(_taught(school, taught, major, citations) for major in named))
            continue
        listed = ", ".join(list(taught)[:_MAJORS_SHOWN])
        more = f" 이 밖에 {len(taught) - _MAJORS_SHOWN}개가 더 있습니다." if len(taught) > _MAJORS_SHOWN else ""
        paragraphs.append(f"{school['title']}에 있는 학과로 자료에 나오는 것\n{listed} {citations.cite(school)}{more}")
        near = [title for title in dict.fromkeys(document["title"] for document in retrieved["documents"]) if title in taught]
        if near and not asked:
            paragraphs.append(f"그 가운데 말씀하신 내용과 가까운 것은 {', '.join(near)}입니다. {citations.cite(school)}")
    return paragraphs


def _taught(school: Document, taught: dict[str, str], major: str, citations: _Citations) -> str:
    if major in taught:
        return f"{school['title']}에 있습니다: {major} ({taught[major]}) {citations.cite(school)}"
    return f"{school['title']}에는 {josa(major, '이/가')} 자료에 없습니다."


def _comparison(
    question: str,
    names: list[str],
    majors: dict[str, dict[Section, Document]],
    asked: list[Section],
    citations: _Citations,
) -> str:
    blocks = []
    differences = [pair for name in names for pair in _differences(majors[name], names)][:2]
    if differences:
        told = [f"- {document['title']}에서 보면, {text} {citations.cite(document)}" for document, text in differences]
        blocks.append("\n".join(["두 학과의 차이", *told]))
    points = [section for section in asked if section is not Section.RELATED] or [
        Section.SUMMARY,
        Section.INTEREST,
        Section.JOBS,
    ]
    for point in points:
        lines = []
        for name in names:
            section = _held(point, majors[name])
            if section:
                document = majors[name][section]
                lines.append(f"- {name}: {' '.join(_lines(question, document))} {citations.cite(document)}")
        if lines:
            blocks.append("\n".join([point, *lines]))
    return "\n\n".join(blocks)


def _differences(major: dict[Section, Document], names: list[str]) -> list[tuple[Document, str]]:
    """How the major differs from the others, as its record says it."""
    document = major.get(Section.RELATED)
    if document is None:
        return []
    others = [name for name in names if name != document["title"]]
    lines = [line.split(": ", 1) for line in document["text"].splitlines()]
    return [(document, text) for other, text in lines if other in others]


def _recommendation(question: str, names: list[str], majors: dict[str, dict[Section, Document]], citations: _Citations) -> str:
    lines = ["말씀하신 내용과 가까운 학과를 골라 보았습니다."]
    for name in names:
        summary, interest = majors[name][Section.SUMMARY], majors[name][Section.INTEREST]
        lines.append(
            f"- {name}: {_gist(summary['text'])} {citations.cite(summary)} "
            f"{_nearest_sentence(question, interest['text'])} {citations.cite(interest)}"
        )
    return "\n".join(lines)


def _gist(text: str) -> str:
    """The first sentence that states something: some records open with a question to the reader."""
    return next((sentence for sentence in sentences(text) if not sentence.endswith("?")), first_sentence(text))


def _nearest_sentence(question: str, text: str) -> str:
    """The sentence that shares most with the question; of equals the first."""
    asked = set(bigrams(question))
    return max(sentences(text), key=lambda sentence: len(asked & set(bigrams(sentence))), default="")


def _from_documents(question: str, chunks: Sequence[Document], citations: _Citations) -> list[str]:
    """The sentences of own documents that are nearest to the question, word for word."""
    if not chunks:
        return []
    lines = [f"- {_nearest_sentences(question, chunk['text'])} {citations.cite(chunk)}" for chunk in chunks]
    return ["\n".join(["가지고 있는 문서에는 이렇게 적혀 있습니다.", *lines])]


def _nearest_sentences(question: str, text: str) -> str:
    """The whole of a short text; of a long one the three sentences in a row that share most with the question."""
    if len(text) <= _SHORT:
        return " ".join(text.split())
    asked, parts = set(bigrams(question)), sentences(text)
    shared = [len(asked & set(bigrams(" ".join(parts[start : start + 3])))) for start in range(max(1, len(parts) - 2))]
    start = shared.index(max(shared))
    return " ".join(" ".join(parts[start : start + 3]).split())
