"""``jindam compare --file``: both branches' answers to many questions, as JSONL and as one HTML page that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from backend.errors import JindamError
from backend.files import written_aside
from backend.jsonl import read_jsonl
from backend.service.main import Answer, Jindam

ANSWERS = "answers.jsonl"
REPORT = "report.html"

_Item = TypeVar("_Item")
Track = Callable[[Sequence[_Item]], Iterable[_Item]]
"""Shows how far a loop is."""


class AskedQuestion(BaseModel):
    """One row of the file; ``query`` and ``text`` are taken for ``question``: labelled rows can be compared as they are."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(validation_alias=AliasChoices("question", "query", "text"), min_length=1)
    profile: str | None = None

    @property
    def key(self) -> str:
        """What an answer is found again by."""
        return hashlib.sha256(f"{self.profile or ''}\0{self.question}".encode()).hexdigest()[:16]


def compare_file(jindam: Jindam, file: Path, out: Path, track: Track[AskedQuestion] = iter) -> list[dict[str, Any]]:
    """Answer every question of ``file`` by both branches, write ``answers.jsonl`` and ``report.html`` to ``out``.

    Answers that lie in ``out`` already are kept, so a run that was cut off goes on; the report is written also when this one is.

    Raises:
        JindamError: the file cannot be read, or a question cannot be asked.

    """
    asked = list(dict.fromkeys(read_jsonl(file, AskedQuestion, '{"question": "…", "profile": "고2, 문과"}')))
    out.mkdir(parents=True, exist_ok=True)
    found = _kept(out / ANSWERS)
    try:
        with (out / ANSWERS).open("a", encoding="utf-8") as lines:
            for question in track([question for question in asked if question.key not in found]):
                answer = jindam.compare(question.question, profile=question.profile)
                found[question.key] = {"key": question.key, "profile": question.profile, **answer}
                lines.write(json.dumps(found[question.key], ensure_ascii=False) + "\n")
                lines.flush()
    finally:
        answers = [found[question.key] for question in asked if question.key in found]
        if answers:
            with written_aside(out / REPORT) as fresh:
                fresh.write_text(report(answers, file.name), encoding="utf-8")
    return answers


def report(answers: Sequence[dict[str, Any]], name: str) -> str:
    """The page: a summary, a bar for each branch's seconds, and the answers side by side."""
    environment = Environment(
        loader=PackageLoader("backend.service"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("comparison.html").render(
        name=name,
        made=datetime.now(UTC).date().isoformat(),
        answers=answers,
        summary=summary(answers),
        slowest=max((given["seconds"] for answer in answers for given in answer["answers"].values()), default=1.0),
    )


def summary(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and median seconds over all answers."""
    seconds = {
        branch: [answer["answers"][branch]["seconds"] for answer in answers if branch in answer["answers"]]
        for branch in ("rag", "finetune")
    }
    counsel = [answer["answers"]["finetune"] for answer in answers if "finetune" in answer["answers"]]
    return {
        "questions": len(answers),
        "answered": {branch: len(values) for branch, values in seconds.items()},
        "median_seconds": {branch: round(statistics.median(values), 2) if values else None for branch, values in seconds.items()},
        "vetted": sum(given["origin"] == "vetted" for given in counsel),
        "generated": sum(given["origin"] == "generated" for given in counsel),
        "crisis": sum(answer["route"] == "crisis" for answer in answers),
        "degraded": sum(bool(answer["degraded"]) for answer in answers),
        "models": sorted({f"{given['model']} + {given['adapter']}" if given["adapter"] else given["model"] for given in counsel}),
    }


def _kept(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    kept: dict[str, Any] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            answer: Answer = json.loads(line)
            kept[answer["key"]] = answer  # type: ignore[typeddict-item]
        except (ValueError, KeyError) as error:
            raise JindamError(
                f"{file} {number}번째 줄을 읽을 수 없습니다.",
                why="끝까지 쓰이지 않았거나 다른 파일입니다.",
                fix="그 줄을 지우거나 --out을 새 폴더로 해 주세요.",
            ) from error
    return kept
