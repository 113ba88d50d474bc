"""What a collection holds: majors, and chunks of own documents. Read from paths, and kept beside the index it went into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.embedding.careernet import is_careernet, read_careernet, with_ours
from backend.embedding.documents import Chunk, Skipped, files_of, read_documents
from backend.embedding.majors import Major
from backend.errors import JindamError
from backend.files import encoding_of
from backend.jsonl import read_jsonl

_FILE = "contents.json"


class Contents(BaseModel):
    """Majors and chunks of one collection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    majors: tuple[Major, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    paths: tuple[str, ...] = ()
    """Absolute paths that they were read from; empty for the shipped majors alone."""


def gather(
    paths: Sequence[Path], ours: Iterable[Major], progress: Callable[[int, int], None] | None = None
) -> tuple[Contents, list[Skipped]]:
    """Read everything below the paths: CareerNet files, our own records (.jsonl), and any other document.

    CareerNet's majors get the aliases, questions and differences of ``ours`` of the same names. Whatever cannot be read is in the
    second list, with the reason.

    Raises:
        JindamError: a path does not exist, a major is there twice, or nothing at all could be read.

    """
    careernet: list[tuple[str, str]] = []
    majors: dict[str, Major] = {}
    documents: list[tuple[Path, str]] = []
    skipped: list[Skipped] = []
    for file, name in files_of(paths):
        suffix = file.suffix.lower()
        if suffix == ".jsonl":
            try:
                found = [major.model_copy(update={"origin": name}) for major in read_jsonl(file, Major, _MAJOR)]
            except JindamError as error:
                skipped.append(Skipped(name, f"{error.what} {error.why}"))
                continue
            for major in found:
                if majors.setdefault(major.major, major) is not major:
                    raise _twice(major.major, name)
        elif suffix in (".csv", ".json") and (text := _text(file)) is not None and is_careernet(text, suffix):
            careernet.append((text, suffix))
        else:
            documents.append((file, name))
    careernet.sort(key=lambda pair: pair[1])  # the CSV files are the newer ones
    for major in with_ours(read_careernet(careernet), ours):
        if majors.setdefault(major.major, major) is not major:
            raise _twice(major.major, major.origin)
    try:
        chunks, unread = read_documents(documents, progress) if documents else ([], [])
    except JindamError as error:  # documents need packages that majors do not
        if not majors:
            raise
        chunks, unread = [], [Skipped(name, f"{error.what} {error.fix}") for _, name in documents]
    skipped += unread
    if not majors and not chunks:
        raise JindamError(
            "읽을 자료가 없습니다.",
            why="; ".join(f"{skip.file}: {skip.why}" for skip in skipped[:3]) or "폴더가 비어 있습니다.",
            fix="글이 든 .md .txt .pdf .docx .csv .json 파일이나 학과 자료가 있는 경로를 적어 주세요.",
        )
    return Contents(
        majors=tuple(majors.values()), chunks=tuple(chunks), paths=tuple(str(path.resolve()) for path in paths)
    ), skipped


def write_contents(folder: Path, contents: Contents) -> None:
    """Keep them in the index's folder."""
    (folder / _FILE).write_text(contents.model_dump_json(exclude_defaults=True), encoding="utf-8")


def read_contents(folder: Path) -> Contents | None:
    """What was kept in the index's folder; None where there is nothing whole."""
    try:
        return Contents.model_validate_json((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


_MAJOR = "data/README.md의 학과 자료 형식"


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding=encoding_of(file))
    except UnicodeDecodeError:
        return None


def _twice(major: str, where: str) -> JindamError:
    return JindamError(
        f"학과가 두 번 나옵니다: {major}",
        why=f"{where}에 앞서 나온 학과가 또 있습니다.",
        fix="한 번만 나오게 고치거나, 자료를 다른 collection으로 나누어 주세요.",
    )
