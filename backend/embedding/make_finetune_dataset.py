"""Raw counselling sources → clean ChatML splits for fine-tuning.

    python -m backend.embedding.make_finetune_dataset drafts/ --out data/counseling --test o --test p --validation n

Two passes, so that a gigabyte fits in little memory: the first cleans each row into a working file and keeps only hashes; the
second writes the splits. Whole writers go to one split. Rows that are nearly alike and whose writers are not known go to one
split together; a training row whose twin is held out is left out. Same input, same output, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from backend.dialogues import twins
from backend.dialogues.checks import Dialogue, Refused, check
from backend.dialogues.sources import Columns, RawRow, Unreadable, files_of, rows_of
from backend.errors import JindamError
from backend.files import require_space, written_aside
from backend.models.gemma import COUNSEL_SYSTEM
from backend.models.helplines import read_helplines
from backend.models.unsafe_answers import AnswerScreen
from backend.settings import get_settings

SPLITS = ("train", "validation", "test")
_LENGTH_SAMPLE = 20_000
"""Dialogues whose length is counted in tokens; of more, every n-th."""

Count = Callable[[str], int]
"""Text → Gemma tokens."""
Advance = Callable[[str, int, int], None]
"""Told (stage, done, total)."""


@dataclass
class Report:
    """What became of the rows."""

    files: dict[str, int] = field(default_factory=dict)
    """Rows read, by file."""
    refused: dict[str, int] = field(default_factory=dict)
    masked: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    """Rows that say exactly what an earlier one says."""
    twins: int = 0
    """Rows that are nearly alike with another."""
    rows: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    """User and assistant pairs, by split."""
    writers: dict[str, list[str]] = field(default_factory=dict)
    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by value, for each kept column."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Length of whole dialogues in Gemma tokens, the system prompt counted."""
    cut_by_limit: dict[str, int] = field(default_factory=dict)
    """Dialogues longer than a limit in tokens."""
    sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How rows are split."""

    validation: tuple[str, ...] = ()
    """Writers held out for choosing."""
    test: tuple[str, ...] = ()
    """Writers held out for judging."""
    share: float = 0.1
    """Share of each held-out split where no writers are named."""


def make_dataset(
    paths: Sequence[Path],
    out: Path,
    *,
    columns: Columns | None = None,
    plan: Plan | None = None,
    count: Count | None = None,
    force: bool = False,
    advance: Advance | None = None,
) -> Report:
    """Write ``train``, ``validation`` and ``test`` ``.jsonl``, ``rejected.jsonl`` and ``report.json``/``.md`` to ``out``.

    ``count`` counts Gemma tokens for the length report; without it there is none. Needs ``rensa`` for more than
    :data:`backend.dialogues.twins.EXACT_ROWS` rows.

    Raises:
        JindamError: nothing readable at ``paths``, a split is there already and ``force`` is not given, named writers do not
            occur, or no row is left.

    """
    columns, plan, advance = columns or Columns(), plan or Plan(), advance or _silent
    sources = files_of(paths)
    _refuse_to_overwrite(out, force=force)
    out.mkdir(parents=True, exist_ok=True)
    require_space(out, 3 * sum(file.stat().st_size for file in sources))
    screen = AnswerScreen(read_helplines(get_settings().data_folder))
    report = Report()
    with tempfile.TemporaryDirectory(dir=out) as folder:
        work = _Working(Path(folder) / "clean.jsonl")
        with written_aside(out / "rejected.jsonl") as rejected, rejected.open("w", encoding="utf-8") as refusals:
            _clean_all(sources, columns, screen, work, report, refusals, advance)
        if not len(work):
            raise JindamError(
                "쓸 수 있는 대화가 한 줄도 없습니다.",
                why=f"읽은 줄 {sum(report.files.values())}개가 모두 걸러졌습니다: {report.refused}",
                fix=f"{out / 'rejected.jsonl'}에서 이유를 확인해 주세요.",
            )
        splits = _split(work, plan, report, advance)
        _write_splits(work, splits, out, report, advance)
        if count is not None:
            _measure_lengths(work, splits, count, report, advance)
    _write_report(out, report)
    return report


def _silent(stage: str, done: int, total: int) -> None:
    """Nobody watches."""


class _Working:
    """The clean rows on disk, and what is remembered of each: offset, writer, hash, MinHash bands."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.offsets: list[int] = []
        self.writers: list[str | None] = []
        self.bands: list[NDArray[np.uint64]] = []
        self._out = file.open("wb")
        self._in: Any = None
        self._hashes: set[bytes] = set()

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, dialogue: Dialogue) -> bool:
        """Keep the dialogue; False if the same was there before."""
        digest = hashlib.sha256("".join(dialogue.text.split()).encode()).digest()[:16]
        if digest in self._hashes:
            return False
        self._hashes.add(digest)
        self.offsets.append(self._out.tell())
        self.writers.append(dialogue.writer)
        self._out.write(json.dumps(_chatml(dialogue), ensure_ascii=False).encode() + b"\n")
        return True

    def line(self, row: int) -> bytes:
        """The row as it will stand in a split."""
        if self._in is None:
            self._out.close()
            self._in = self.file.open("rb")
        self._in.seek(self.offsets[row])
        line: bytes = self._in.readline()
        return line

    def text(self, row: int) -> str:
        """What was said, without the system prompt."""
        messages = json.loads(self.line(row))["messages"]
        return "\n".join(message["content"] for message in messages[1:])


def _chatml(dialogue: Dialogue) -> dict[str, Any]:
    messages = [{"role": "system", "content": COUNSEL_SYSTEM}]
    for user, assistant in dialogue.turns:
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    row: dict[str, Any] = {"messages": messages}
    if dialogue.id is not None:
        row["id"] = dialogue.id
    if dialogue.writer is not None:
        row["writer"] = dialogue.writer
    return {**row, **dialogue.kept}


def _clean_all(
    sources: Sequence[Path],
    columns: Columns,
    screen: AnswerScreen,
    work: _Working,
    report: Report,
    refusals: TextIO,
    advance: Advance,
) -> None:
    refused: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    total, before = sum(file.stat().st_size for file in sources), 0
    for file in sources:
        size, read = file.stat().st_size, 0
        for row in rows_of(file, columns):
            read += 1
            if read % 200 == 0:
                advance("읽고 다듬는 중", before + min(size, read * 600), total)
            outcome = Refused(row.reason) if isinstance(row, Unreadable) else check(row, screen)
            if isinstance(outcome, Dialogue):
                masked += outcome.masked
                if work.add(_with_writer(outcome, row, file)):
                    continue
                report.copies += 1
                outcome = Refused("copy")
            refused[outcome.reason] += 1
            refusals.write(json.dumps({"file": row.file, "line": row.line, **asdict(outcome)}, ensure_ascii=False) + "\n")
        report.files[file.name] = read
        before += size
        advance("읽고 다듬는 중", before, total)
    report.refused = dict(sorted(refused.items()))
    report.masked = dict(sorted(masked.items()))


def _with_writer(dialogue: Dialogue, row: RawRow | Unreadable, file: Path) -> Dialogue:
    """Our drafts are one writer a file."""
    if dialogue.writer is not None or file.parent.name != "drafts":
        return dialogue
    return Dialogue(dialogue.turns, file.stem, dialogue.id, dialogue.kept, dialogue.masked)


def _split(work: _Working, plan: Plan, report: Report, advance: Advance) -> list[str | None]:
    """The split of each row; None for a training row whose twin is held out."""
    named = {**dict.fromkeys(plan.validation, "validation"), **dict.fromkeys(plan.test, "test")}
    if missing := sorted(set(named) - set(filter(None, work.writers))):
        raise JindamError(
            f"없는 작성자입니다: {', '.join(missing)}",
            why=f"자료에 있는 작성자: {', '.join(sorted(set(filter(None, work.writers)))) or '없음'}",
            fix="--validation과 --test에 있는 이름을 적어 주세요.",
        )
    groups = _grouped(work, advance)
    group_of = [groups.of(row) for row in range(len(work))]
    sizes = Counter(group_of)
    report.twins = sum(size for size in sizes.values() if size > 1)
    splits: list[str | None] = []
    for row, writer in enumerate(work.writers):
        if named:
            splits.append(named.get(writer or "", "train"))
        else:
            splits.append(_by_hash(writer or work.text(group_of[row]), plan.share))
    held_out: dict[int, str] = {}
    for split in ("validation", "test"):  # a group stays in the most held-out of its splits
        held_out.update({group: split for group, of in zip(group_of, splits, strict=True) if of == split and sizes[group] > 1})
    for row, group in enumerate(group_of):
        if held_out.get(group, splits[row]) != splits[row]:
            splits[row] = None
    if left_out := splits.count(None):
        report.refused["twin-across-splits"] = left_out
    return splits


def _by_hash(key: str, share: float) -> str:
    """A split by the key's hash, so that a row keeps its split when others are added."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "test" if place < share else "validation" if place < 2 * share else "train"


def _grouped(work: _Working, advance: Advance) -> twins.Groups:
    """Rows that are nearly alike, together."""
    groups = twins.Groups(len(work))
    if len(work) <= twins.EXACT_ROWS:
        advance("닮은 대화 찾는 중", 0, 1)
        for one, other in twins.near_pairs([work.text(row) for row in range(len(work))]):
            groups.join(one, other)
        advance("닮은 대화 찾는 중", 1, 1)
        return groups
    bands = np.empty((len(work), 32), np.uint64)
    for row in range(len(work)):
        bands[row] = twins.signature(work.text(row))
        if row % 500 == 0:
            advance("닮은 대화 찾는 중", row, len(work))
    twins.join_likely(bands, work.text, groups)
    advance("닮은 대화 찾는 중", len(work), len(work))
    return groups


def _write_splits(work: _Working, splits: Sequence[str | None], out: Path, report: Report, advance: Advance) -> None:
    counted: dict[str, Counter[str]] = {}
    for split in SPLITS:
        digest, rows, turns = hashlib.sha256(), 0, 0
        with written_aside(out / f"{split}.jsonl") as file, file.open("wb") as target:
            for row, of in enumerate(splits):
                if of != split:
                    continue
                line = work.line(row)
                target.write(line)
                digest.update(line)
                record = json.loads(line)
                rows, turns = rows + 1, turns + len(record["messages"]) // 2
                for name, value in record.items():
                    if name not in ("messages", "id", "writer"):
                        counted.setdefault(name, Counter())[str(value)] += 1
                if rows % 1000 == 0:
                    advance("쓰는 중", row, len(splits))
        report.rows[split], report.turns[split], report.sha256[split] = rows, turns, digest.hexdigest()
        report.writers[split] = sorted({work.writers[row] or "" for row, of in enumerate(splits) if of == split} - {""})[:50]
    report.counted = {name: dict(sorted(values.items())) for name, values in counted.items() if len(values) <= 200}


def _measure_lengths(work: _Working, splits: Sequence[str | None], count: Count, report: Report, advance: Advance) -> None:
    rows = [row for row, split in enumerate(splits) if split]
    sample = rows[:: max(1, len(rows) // _LENGTH_SAMPLE)]
    lengths = []
    for done, row in enumerate(sample):
        messages = json.loads(work.line(row))["messages"]
        lengths.append(count("\n".join(message["content"] for message in messages)) + 4 * len(messages))  # turn markers
        if done % 200 == 0:
            advance("길이 재는 중", done, len(sample))
    report.tokens = {
        "sampled": len(lengths),
        **{f"p{percent}": int(np.percentile(lengths, percent)) for percent in (50, 95, 99)},
        "longest": max(lengths),
    }
    report.cut_by_limit = {str(limit): sum(length > limit for length in lengths) for limit in (256, 512, 1024, 2048)}


def _refuse_to_overwrite(out: Path, *, force: bool) -> None:
    there = [f"{split}.jsonl" for split in SPLITS if (out / f"{split}.jsonl").exists()]
    if there and not force:
        raise JindamError(
            f"{out}에 이미 만든 자료가 있습니다: {', '.join(there)}",
            why="덮어쓰면 되돌릴 수 없습니다.",
            fix="--force를 붙이거나 --out을 다른 폴더로 정해 주세요.",
        )


def _write_report(out: Path, report: Report) -> None:
    with written_aside(out / "report.json") as file:
        file.write_text(json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    lines = ["# What became of the rows", "", "| split | dialogues | turns | writers | sha256 |", "|---|---|---|---|---|"]
    lines += [
        f"| {split} | {report.rows[split]:,} | {report.turns[split]:,} | {' '.join(report.writers[split])} "
        f"| `{report.sha256[split][:16]}…` |"
        for split in SPLITS
    ]
    for title, values in (
        ("Rows read, by file", report.files),
        ("Refused, by reason (each with file and line in rejected.jsonl)", report.refused),
        ("Personal data masked", report.masked),
        ("Length in Gemma tokens", report.tokens),
        ("Dialogues longer than a limit in tokens", report.cut_by_limit),
        *((f"By {name}", values) for name, values in report.counted.items()),
    ):
        lines += ["", f"## {title}", ""] + [f"- {name}: {value:,}" for name, value in values.items()]
        lines += ["none"] if not values else []
    lines += [
        "",
        f"Copies: {report.copies:,}. Rows nearly alike with another (5-gram Jaccard ≥ {twins.THRESHOLD}): {report.twins:,}.",
    ]
    with written_aside(out / "report.md") as file:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


app = typer.Typer(add_completion=False)


@app.command(epilog="예: python -m backend.embedding.make_finetune_dataset 상담.xlsx --question 고민 --answer 답변 --out my_data")
def main(
    paths: Annotated[list[Path], typer.Argument(help="JSONL, CSV, TSV, XLSX 파일이나 폴더", show_default=False)],
    out: Annotated[Path, typer.Option(help="결과를 쓸 폴더")],
    question: Annotated[str | None, typer.Option(help="질문이 든 열의 이름")] = None,
    answer: Annotated[str | None, typer.Option(help="답변이 든 열의 이름")] = None,
    writer: Annotated[str | None, typer.Option(help="작성자가 든 열의 이름: 한 작성자는 한 묶음에만 들어감")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="그대로 남길 열 (여러 번 쓸 수 있음)")] = None,
    validation: Annotated[list[str] | None, typer.Option(help="검증용으로 뺄 작성자")] = None,
    test: Annotated[list[str] | None, typer.Option(help="시험용으로 뺄 작성자")] = None,
    share: Annotated[float, typer.Option(min=0.0, max=0.4, help="작성자를 정하지 않았을 때 검증·시험 각각의 몫")] = 0.1,
    force: Annotated[bool, typer.Option("--force", help="이미 있는 결과를 덮어씀")] = False,
) -> None:
    """상담 자료를 다듬어 미세조정에 쓸 ChatML 묶음(train, validation, test)으로 만듭니다."""
    from backend.models.gemma_tokenizer import gemma_tokenizer

    err = Console(stderr=True)
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        ) as bar:
            task = bar.add_task("", total=1)
            report = make_dataset(
                paths,
                out,
                columns=Columns(user=question, assistant=answer, writer=writer, keep=tuple(keep or ())),
                plan=Plan(tuple(validation or ()), tuple(test or ()), share),
                count=gemma_tokenizer(get_settings()).count,
                force=force,
                advance=lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total),
            )
    except JindamError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("\n멈췄습니다. 쓰다 만 파일은 남기지 않았습니다.")
        raise typer.Exit(130) from None
    sys.stdout.write((out / "report.md").read_text(encoding="utf-8"))
    if report.refused:
        err.print(f"걸러진 줄과 이유는 {out / 'rejected.jsonl'}에 있습니다.")


if __name__ == "__main__":
    app()
