"""Reading labelled rows, one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backend.errors import JindamError

_Row = TypeVar("_Row", bound=BaseModel)


def read_jsonl(file: Path, row: type[_Row], example: str) -> list[_Row]:
    """The rows of ``file``, each checked; blank lines are passed over.

    Raises:
        JindamError: the file cannot be read, is empty, or a line is no row; the message names the line and shows ``example``.

    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "UTF-8로 된 글이 아닙니다."
        what = f"파일을 읽을 수 없습니다: {file}"
        raise JindamError(what, why=why or str(error), fix="경로와 형식을 확인해 주세요.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(row.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise JindamError(
                f"{file.name} {number}번째 줄을 읽을 수 없습니다.",
                why=f"{where}: {first['msg']}" if where else first["msg"],
                fix=f"이런 형식인지 확인해 주세요: {example}",
            ) from error
    if not rows:
        fix = f"한 줄에 하나씩 적어 주세요: {example}"
        raise JindamError(f"{file.name}에 읽을 줄이 없습니다.", why="파일이 비어 있습니다.", fix=fix)
    return rows
