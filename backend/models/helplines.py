"""The one table of helplines (``data/safety/helplines.json``)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Helpline(BaseModel):
    """A number that a person can call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: str
    name: str
    purpose: str = Field(alias="for")
    hours: str
    verified_on: str

    def __str__(self) -> str:
        return f"{self.name} {self.number} ({self.purpose}, {self.hours})"


class _Table(BaseModel):
    note: str
    helplines: list[Helpline]


def read_helplines(data_folder: Path) -> dict[str, Helpline]:
    """The helplines by number."""
    table = _Table.model_validate_json((data_folder / "safety" / "helplines.json").read_text(encoding="utf-8"))
    return {line.number: line for line in table.helplines}
