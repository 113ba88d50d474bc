"""Reading CareerNet's records of majors (커리어넷 학과정보), as CSV or JSON, with what is odd in them.

What is known to be odd, each with a test: byte-order marks; file names that lie about their field; the same record in several
files, its universities in another order; HTML in fields; three kinds of middle dot, doubled commas and stops, breaks inside
sentences; ``employment`` as a band; ``universities`` as a list of objects or as one string; a sentence instead of a list of jobs.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from backend.embedding.majors import Major, Offering
from backend.errors import JindamError
from backend.plain_text import without_markup

ORIGIN = "커리어넷 학과정보"
_COLUMNS = {"majorSeq", "major", "summary", "job", "interest", "property", "universities"}
_DOTS = re.compile(r"[ㆍ・･·]")
_REPLACED = [
    (_DOTS, "·"),
    (re.compile(r"\s+"), " "),
    (re.compile(r"\s*,(?:\s*,)+|,\s*\.(?=\s)"), ","),
    (re.compile(r"(?<!\.)\.\.(?!\.)"), "."),
    (re.compile(r"(?<=[가-힣])<\s"), ", "),  # IT분야< 토목, 건축
    (re.compile(r"\s+([,.])"), r"\1"),
]
_BAND = re.compile(r"(\d{1,2})\s*%\s*이상")


def is_careernet(text: str, suffix: str) -> bool:
    """Whether a file's text holds CareerNet records, by its columns; its name says nothing."""
    try:
        return bool(_raw_records(text, suffix))
    except (ValueError, KeyError, csv.Error):
        return False


def read_careernet(texts: Iterable[tuple[str, str]]) -> list[Major]:
    """The records of files given as (text, suffix), one a major: of a repeated one the first texts and all universities.

    Raises:
        JindamError: a record lacks its name or texts.

    """
    majors: dict[str, Major] = {}
    name_of: dict[str, str] = {}  # by majorSeq: the same record can stand in several files
    for text, suffix in texts:
        for record in _raw_records(text, suffix):
            major = _major(record)
            name = name_of.setdefault(str(record["majorSeq"]), major.major)
            if name in majors:
                union = dict.fromkeys([*majors[name].universities, *major.universities])
                majors[name] = majors[name].model_copy(update={"universities": list(union)})
            else:
                majors[name] = major
    return list(majors.values())


def with_ours(majors: Iterable[Major], ours: Iterable[Major]) -> list[Major]:
    """The records with the shipped field, aliases, slang, questions and differences of the majors of the same names."""
    known = {_DOTS.sub("", major.major): major for major in ours}
    attached = {"field", "aliases", "slang", "questions", "related"}

    def with_its_own(major: Major) -> Major:
        same = known.get(_DOTS.sub("", major.major))
        return major.model_copy(update={name: getattr(same, name) for name in attached} | {"attached": True}) if same else major

    return [with_its_own(major) for major in majors]


def _raw_records(text: str, suffix: str) -> list[dict[str, Any]]:
    records: Any
    if suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if not _COLUMNS.issubset(reader.fieldnames or ()):
            return []
        records = list(reader)
    else:
        records = json.loads(text)
    if not isinstance(records, list) or not records:
        return []
    return records if all(isinstance(record, dict) and _COLUMNS.issubset(record) for record in records) else []


def _major(record: dict[str, Any]) -> Major:
    employment = _BAND.search(_clean(record.get("employment")))
    pay = _clean(record.get("salary"))
    try:
        return Major(
            major=without_markup(str(record["major"])).strip(),  # as the corpus spells it: other people's labels name it so
            summary=_clean(record["summary"]),
            interest=_clean(record["interest"]),
            features=_clean(record["property"]),
            jobs=_items(record["job"]),
            qualifications=_items(record.get("qualifications")),
            employment=f"{employment[1]}% 이상" if employment else None,
            monthly_pay=float(pay) if re.fullmatch(r"\d+(?:\.\d+)?", pay) else None,
            universities=_offerings(record["universities"]),
            origin=ORIGIN,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise JindamError(
            f"커리어넷 기록을 읽을 수 없습니다: {record.get('major') or record.get('majorSeq')}",
            why=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            fix="그 줄의 값을 고치거나 지워 주세요.",
        ) from error


def _clean(text: Any) -> str:
    cleaned = without_markup(str(text or ""))
    for pattern, replacement in _REPLACED:
        cleaned = pattern.sub(replacement, cleaned)
    return cleaned.strip(" ,")


def _items(text: Any) -> list[str]:
    """A list that is written with commas; a sentence that stands there instead stays whole."""
    cleaned = _clean(text)
    if cleaned.endswith("다."):
        return [cleaned]
    return list(dict.fromkeys(item for part in re.split(r",(?![^(]*\))", cleaned) if (item := part.strip(" .·"))))


def _offerings(value: Any) -> list[Offering]:
    if isinstance(value, str):
        pairs: list[tuple[Any, Any]] = [part.partition(":")[::2] for part in value.split("|")]
    else:
        pairs = [(entry.get("schoolName"), entry.get("majorName")) for entry in value or [] if isinstance(entry, dict)]
    found = [Offering(school=_clean(school), department=_clean(department)) for school, department in pairs]
    return list(dict.fromkeys(offering for offering in found if offering.school and offering.department))
