"""Raw counselling sources: JSONL, CSV, TSV and XLSX files, or folders of them, one row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import JindamError

SUFFIXES = (".jsonl", ".csv", ".tsv", ".xlsx")

_USUAL_NAMES = {
    "user": ("user", "question", "질문", "고민", "상담내용", "사연", "instruction", "input", "prompt", "내담자"),
    "assistant": ("assistant", "answer", "답변", "상담사", "상담답변", "답", "output", "response", "completion"),
    "system": ("system", "시스템"),
    "writer": ("writer", "작성자", "group", "author"),
    "id": ("id", "번호"),
}


@dataclass(frozen=True)
class Columns:
    """Which column of a table holds what; None looks for a usual name (질문, 답변, question, answer …)."""

    user: str | None = None
    assistant: str | None = None
    system: str | None = None
    writer: str | None = None
    id: str | None = None
    keep: tuple[str, ...] = ()
    """Further columns that stay on the row."""


@dataclass(frozen=True)
class RawRow:
    """A row as it was found: ``turns`` are (role, content), contents of any type."""

    file: str
    line: int
    turns: list[tuple[Any, Any]]
    writer: str | None = None
    id: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unreadable:
    """A row of which nothing can be made."""

    file: str
    line: int
    reason: str


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files at ``paths``, folders searched, in a fixed order.

    Raises:
        JindamError: a path is missing, or nothing readable lies there.

    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise JindamError(f"없는 경로입니다: {path}", why="파일도 폴더도 없습니다.", fix="경로를 확인해 주세요.")
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        found += inside
    wrong = [path for path in found if path.suffix.lower() not in SUFFIXES]
    if wrong or not found:
        raise JindamError(
            f"읽을 수 있는 파일이 없습니다: {wrong[0] if wrong else paths[0]}",
            why=f"{', '.join(SUFFIXES)} 파일만 읽습니다.",
            fix="파일을 이 가운데 한 형식으로 저장해 주세요.",
        )
    return found


def rows_of(file: Path, columns: Columns) -> Iterator[RawRow | Unreadable]:
    """The rows of one file, streamed; lines count from 1, a table's header is line 1.

    Raises:
        JindamError: the file cannot be opened, or has no column for questions or answers.

    """
    try:
        match file.suffix.lower():
            case ".jsonl":
                yield from _from_jsonl(file, columns)
            case ".xlsx":
                yield from _from_table(file, _xlsx(file), columns)
            case suffix:
                yield from _from_table(file, _csv(file, "\t" if suffix == ".tsv" else ","), columns)
    except (OSError, UnicodeDecodeError) as error:
        raise JindamError(
            f"파일을 읽을 수 없습니다: {file}",
            why="UTF-8로 된 글이 아닙니다." if isinstance(error, UnicodeDecodeError) else error.strerror or str(error),
            fix="UTF-8로 다시 저장하거나 읽기 권한을 확인해 주세요.",
        ) from error


def _from_jsonl(file: Path, columns: Columns) -> Iterator[RawRow | Unreadable]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                yield Unreadable(file.name, number, "not-json")
                continue
            if not isinstance(row, dict):
                yield Unreadable(file.name, number, "not-an-object")
                continue
            yield _raw(file, number, row, columns)


def _raw(file: Path, number: int, row: Mapping[str, Any], columns: Columns) -> RawRow | Unreadable:
    """A JSON object: ChatML ``messages``, our drafts' ``turns``, or named columns."""
    messages, turns = row.get("messages"), row.get("turns")
    pairs: list[tuple[Any, Any]]
    if isinstance(messages, list):
        if not all(isinstance(message, dict) for message in messages):
            return Unreadable(file.name, number, "wrong-roles")
        pairs = [(message.get("role"), message.get("content")) for message in messages]
    elif isinstance(turns, list):
        if not all(isinstance(turn, dict) for turn in turns):
            return Unreadable(file.name, number, "wrong-roles")
        pairs = [pair for turn in turns for pair in (("user", turn.get("user")), ("assistant", turn.get("assistant")))]
    else:
        names = _resolve(list(row), columns)
        if "user" not in names or "assistant" not in names:
            return Unreadable(file.name, number, "no-question-or-answer")
        pairs = [(role, row[names[role]]) for role in ("system", "user", "assistant") if role in names]
        return _row(file, number, pairs, row, names, columns)
    return _row(file, number, pairs, row, _resolve(list(row), columns), columns)


def _from_table(file: Path, table: Iterator[Sequence[Any]], columns: Columns) -> Iterator[RawRow | Unreadable]:
    header = [str(name).strip() if name is not None else "" for name in next(table, [])]
    names = _resolve(header, columns)
    for role, flag in (("user", "--question"), ("assistant", "--answer")):
        if role not in names:
            raise JindamError(
                f"{file.name}에서 {'질문' if role == 'user' else '답변'} 열을 찾지 못했습니다.",
                why=f"열 이름: {', '.join(header) or '없음'}",
                fix=f"{flag} 열이름 으로 알려 주세요.",
            )
    for number, cells in enumerate(table, 2):
        row = dict(zip(header, cells, strict=False))
        if all(cell is None or str(cell).strip() == "" for cell in cells):
            continue
        pairs = [(role, row.get(names[role])) for role in ("system", "user", "assistant") if role in names]
        yield _row(file, number, pairs, row, names, columns)


def _row(
    file: Path, number: int, pairs: list[tuple[Any, Any]], row: Mapping[str, Any], names: Mapping[str, str], columns: Columns
) -> RawRow:
    def text(role: str) -> str | None:
        value = row.get(names[role]) if role in names else None
        return None if value is None else str(value)

    return RawRow(
        file=file.name,
        line=number,
        turns=pairs,
        writer=text("writer"),
        id=text("id"),
        kept={name: row[name] for name in columns.keep if name in row},
    )


def _resolve(header: Sequence[str], columns: Columns) -> dict[str, str]:
    """Role → the column that holds it."""
    lower = {name.lower(): name for name in header}
    resolved = {}
    for role, usual in _USUAL_NAMES.items():
        wanted = getattr(columns, role)
        for name in [wanted] if wanted else usual:
            if name.lower() in lower:
                resolved[role] = lower[name.lower()]
                break
    return resolved


def _csv(file: Path, delimiter: str) -> Iterator[Sequence[str]]:
    csv.field_size_limit(1 << 24)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.reader(lines, delimiter=delimiter)


def _xlsx(file: Path) -> Iterator[Sequence[Any]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise JindamError(
            f"엑셀 파일을 읽을 수 없습니다: {file}",
            why="openpyxl이 설치되어 있지 않습니다.",
            fix="pip install 'jindam[dataset]' -c constraints.txt 로 설치하거나 CSV로 저장해 주세요.",
        ) from error
    workbook = load_workbook(file, read_only=True, data_only=True)
    try:
        yield from workbook.worksheets[0].iter_rows(values_only=True)
    finally:
        workbook.close()
