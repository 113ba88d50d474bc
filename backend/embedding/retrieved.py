"""What a look-up gives to whoever answers."""

from __future__ import annotations

from typing_extensions import TypedDict


class Document(TypedDict):
    """A section of a major, or a chunk of an own document, that was found."""

    id: str
    title: str
    """The major, the school, or the file."""
    section: str
    """The section of a record, or the place in a file."""
    text: str
    score: float
    """A major's share of relevance, 0 to 1 over all majors, the same for all its sections; a chunk's fused score, 0 to 1."""
    origin: str
    """Whose text it is, as a reader is told."""


class Retrieved(TypedDict):
    """What a question brought up."""

    documents: list[Document]
    """All sections of the majors that fit, best major first; empty when no major fits."""
    chunks: list[Document]
    """Chunks of own documents that fit, best first."""
    schools: list[Document]
    """The universities that the question names, each with the majors that it teaches."""
    unknown_schools: list[str]
    """Universities that the question names and no record knows."""
    named: list[str]
    """Majors that the question names and wants, in its order."""
    excluded: list[str]
    """Majors that the question names and does not want (의예과 말고)."""
    unknown: list[str]
    """Words of the question that look like a major's name and are not in the data."""
    nearest: list[str]
    """Where nothing fits, the majors that come closest."""
    seconds: float
