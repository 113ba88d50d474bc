"""Dialogues from a file. Cleaning them is ``backend.embedding.make_finetune_dataset``'s work; here they are read and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from backend.errors import JindamError
from backend.jsonl import read_jsonl
from backend.settings import get_settings

if TYPE_CHECKING:
    from finetune.template import Encoded, Layout

_EXAMPLE = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'


class Message(BaseModel):
    """One turn, as the chat format of OpenAI and of the seed has it."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Dialogue(BaseModel):
    """A system text (or none), then user and assistant in turns, the assistant last."""

    model_config = ConfigDict(frozen=True, extra="allow")

    messages: tuple[Message, ...]

    @model_validator(mode="after")
    def _turns_alternate(self) -> Dialogue:
        turns = self.turns
        for position, message in enumerate(turns):
            expected = ("user", "assistant")[position % 2]
            if message.role != expected:
                raise ValueError(f"{position + 1}번째 차례는 {message.role}이(가) 아니라 {expected}여야 합니다")
            if not message.content.strip():
                raise ValueError(f"{position + 1}번째 차례({message.role})가 비어 있습니다")
        if not turns or turns[-1].role != "assistant":
            raise ValueError("마지막 차례가 assistant가 아닙니다")
        return self

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages without the system text."""
        return self.messages[1:] if self.messages and self.messages[0].role == "system" else self.messages

    @property
    def reply_bytes(self) -> int:
        """UTF-8 bytes of everything the assistant says."""
        return sum(len(message.content.strip().encode()) for message in self.turns if message.role == "assistant")


def _shipped(file: Path) -> Path:
    """``data/…`` outside a checkout is the data that came with the installation."""
    if file.is_file() or file.parts[:1] != ("data",):
        return file
    return get_settings().data_folder.joinpath(*file.parts[1:])


@dataclass(frozen=True)
class Split:
    """Dialogues and their tokens, in the file's order."""

    file: Path
    sha256: str
    dialogues: list[Dialogue]
    encoded: list[Encoded]
    dropped: int = 0
    """Rows left out because they were longer than ``max_tokens``."""

    @property
    def reply_bytes(self) -> int:
        """UTF-8 bytes of all replies."""
        return sum(dialogue.reply_bytes for dialogue in self.dialogues)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row.input_ids) for row in self.encoded]

    @property
    def scored(self) -> int:
        """Tokens that the loss counts."""
        return sum(row.scored for row in self.encoded)

    def columns(self) -> dict[str, list[Any]]:
        """What ``datasets.Dataset.from_dict`` takes."""
        return {"input_ids": [row.input_ids for row in self.encoded], "labels": [row.labels for row in self.encoded]}


def read_dialogues(file: Path, limit: int | None = None) -> list[Dialogue]:
    """The dialogues of a JSONL file, each checked; with ``limit`` only so many, evenly spaced: files are sorted by writer.

    Raises:
        JindamError: the file cannot be read, is empty, or a line is no dialogue; the message names the line.

    """
    dialogues = read_jsonl(_shipped(file), Dialogue, _EXAMPLE)
    if limit is None or limit >= len(dialogues):
        return dialogues
    return [dialogues[number * len(dialogues) // limit] for number in range(limit)]


def read_split(
    file: Path,
    layout: Layout,
    *,
    max_tokens: int,
    too_long: Literal["refuse", "drop"] = "refuse",
    limit: int | None = None,
) -> Split:
    """The dialogues of ``file`` with their tokens. Rows are never cut: a reply without its end teaches not to stop.

    Raises:
        JindamError: a row is longer than ``max_tokens`` (unless they are to be dropped), or none is left.

    """
    dialogues = read_dialogues(file, limit)
    encoded = [layout.encode(dialogue.messages) for dialogue in dialogues]
    long = [number for number, row in enumerate(encoded) if len(row.input_ids) > max_tokens]
    if long and (too_long == "refuse" or len(long) == len(encoded)):
        raise _too_long(file, encoded, long, max_tokens)
    kept = [number for number in range(len(encoded)) if number not in set(long)]
    return Split(
        file=file,
        sha256=sha256_of(dialogues),
        dialogues=[dialogues[number] for number in kept],
        encoded=[encoded[number] for number in kept],
        dropped=len(long),
    )


def sha256_of(dialogues: Sequence[Dialogue]) -> str:
    """The hash of what the dialogues say, whatever other columns the file has."""
    digest = hashlib.sha256()
    for dialogue in dialogues:
        for message in dialogue.messages:
            digest.update(f"{message.role}\0{message.content}\0".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _too_long(file: Path, encoded: Sequence[Encoded], long: list[int], max_tokens: int) -> JindamError:
    longest = max(len(encoded[number].input_ids) for number in long)
    rows = ", ".join(str(number + 1) for number in long[:5]) + (" …" if len(long) > 5 else "")
    return JindamError(
        f"{file.name}에 너무 긴 대화가 {len(long)}개 있습니다.",
        why=f"{max_tokens} 토큰까지인데 가장 긴 것은 {longest} 토큰입니다 ({rows}번째 대화).",
        fix=f"data.max_tokens를 {longest}(으)로 늘리거나, data.too_long=drop으로 빼거나, 대화를 줄여 주세요.",
    )
