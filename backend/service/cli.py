"""The ``jindam`` command. Heavy imports wait for the command that needs them, so that ``--help`` is instant."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from backend.errors import JindamError

if TYPE_CHECKING:
    from langgraph.runtime import RunControl

    from backend.embedding.index import Progress
    from backend.LangGraph.state import BranchAnswer, Source
    from backend.resources import Resources
    from backend.service.main import Answer, Jindam

app = typer.Typer(
    name="jindam",
    help="진담: 학과 정보를 찾아 주고 진로 고민을 함께 나누는 상담 AI",
    epilog='예: jindam ask "컴퓨터공학과에서는 무엇을 배우나요?"  ·  jindam chat  ·  jindam doctor',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Mode(StrEnum):
    """Which branches answer."""

    AUTO = "auto"
    RAG = "rag"
    FINETUNE = "finetune"
    BOTH = "both"


Question = Annotated[str, typer.Argument(help="질문이나 고민", show_default=False)]
Profile = Annotated[str | None, typer.Option(help='누가 묻는지 짧게 (예: "고2, 문과")')]
Collection = Annotated[str | None, typer.Option(help="어느 자료에서 찾을지 (기본: majors)")]
AsJson = Annotated[bool, typer.Option("--json", help="결과 전체를 JSON 하나로 출력")]


@app.command(epilog='예: jindam ask "간호학과는 어떤 사람에게 맞나요?" --json  ·  jindam ask "그럼 취업은?" --thread hong')
def ask(
    question: Question,
    mode: Annotated[Mode, typer.Option(help="답할 쪽을 정함: auto는 스스로 고름")] = Mode.AUTO,
    profile: Profile = None,
    thread: Annotated[str | None, typer.Option(help="이어서 말할 대화의 이름 (영문, 숫자, _, -)")] = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """질문 하나에 답합니다."""
    with _told_plainly(), _opened(collection, thread) as jindam:
        answer = jindam.ask(question, mode=mode.value, profile=profile, thread_id=thread)
    if as_json:
        _print_json(answer)
    else:
        _print_answer(answer)


@app.command(epilog="예: jindam chat --thread hong")
def chat(
    profile: Profile = None,
    thread: Annotated[str | None, typer.Option(help="저장해 두고 이어서 말할 대화의 이름")] = None,
    collection: Collection = None,
) -> None:
    """대화를 시작합니다. Ctrl-C는 나오던 답을 멈추고, 빈 줄에서 Ctrl-C나 Ctrl-D는 대화를 마칩니다."""
    with _told_plainly(), _opened(collection, thread) as jindam:
        out.print("[dim]저는 진로 상담 AI 진담입니다. 사람이 아니며, 틀릴 수 있습니다. 마치려면 Ctrl-D를 누르세요.[/dim]")
        name = thread or "chat"
        if thread:
            for role, text in jindam.history(thread)[-6:]:
                out.print(f"[dim]{'나' if role == 'user' else '진담'}> {escape(text)}[/dim]")
        while (question := _prompt()) is not None:
            if question.strip():
                try:
                    _say(jindam, question, profile=profile, thread_id=name)
                except JindamError as error:
                    err.print(escape(str(error)), style="red")


@app.command(
    epilog='예: jindam compare "컴공 가고 싶은데 수학이 걱정돼요"  ·  jindam compare --file questions.jsonl --out report'
)
def compare(
    question: Annotated[str | None, typer.Argument(help="질문이나 고민", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option(help='질문이 여럿 든 JSONL: {"question": "…", "profile": "…"}')] = None,
    to: Annotated[Path, typer.Option("--out", help="--file: 보고서(HTML)와 답(JSONL)을 둘 폴더")] = Path("comparison"),
    profile: Profile = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """자료에서 찾은 답과 상담 모델의 답을 나란히 봅니다. 질문 하나는 화면에, 파일은 보고서로. 끊기면 이어집니다."""
    with _told_plainly():
        if (question is None) == (file is None):
            raise JindamError(
                "무엇을 비교할지 알 수 없습니다.",
                why="질문과 --file 가운데 하나만 적어야 합니다.",
                fix='예: jindam compare "질문"  또는  jindam compare --file questions.jsonl --out report',
            )
        with _opened(collection, None) as jindam:
            if file is not None:
                _compare_file(jindam, file, to, as_json=as_json)
                return
            answer = jindam.compare(question or "", profile=profile)
    if as_json:
        _print_json(answer)
        return
    titles = {"rag": "자료에서 찾은 답 (RAG)", "finetune": "상담 모델의 답 (fine-tuned)"}
    for branch, title in titles.items():
        given = answer["answers"].get(branch)  # type: ignore[call-overload]
        body = escape(given["text"]) if given else "[dim]답하지 못했습니다.[/dim]"
        footer = _how_made(given) if given else None
        out.print(Panel(body, title=title, subtitle=footer, title_align="left", subtitle_align="right"))
    if answer["route"] == "crisis":
        out.print(escape(answer["answer"]))
    _print_notes(answer)


def _how_made(given: BranchAnswer) -> str:
    parts = [f"{given['seconds']:.2f}초"]
    if given.get("origin") == "vetted":
        parts.append(f"검토된 답 그대로 (대화 {given['dialogue']})")
    elif "model" in given:
        parts.append(f"{given['model']} + {given['adapter']}" if given["adapter"] else given["model"])
    return " · ".join(parts)


def _compare_file(jindam: Jindam, file: Path, to: Path, *, as_json: bool) -> None:
    from rich.progress import track

    from backend.service.comparison import ANSWERS, REPORT, compare_file, summary

    answers = compare_file(jindam, file, to, partial(track, description=file.name, console=err, transient=True))
    told = summary(answers)
    if as_json:
        _print_json(told)
        return
    out.print(
        f"질문 {told['questions']}개: 자료에서 {told['answered']['rag']}개, 상담으로 {told['answered']['finetune']}개 답했습니다 "
        f"(지은 답 {told['generated']}, 검토된 답 {told['vetted']}, 위기 응답 {told['crisis']})."
    )
    out.print(f"보고서: {to / REPORT}  ·  답: {to / ANSWERS}")


@app.command(epilog="예: jindam index  ·  jindam index 학교자료/  ·  jindam index careernet/ --collection careernet")
def index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="파일과 폴더: .md .txt .pdf .docx .csv .json", show_default=False),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="바뀐 것이 없어도 처음부터 다시 만듦")] = False,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """색인을 적은 경로의 지금 내용과 같게 만듭니다. 바뀐 것만 새로 넣고, 사라진 것은 지우고, 끊기면 이어집니다.

    경로를 적지 않으면 지난번에 적은 경로를 다시 읽습니다. 기본 자료(majors)에는 진담 학과 자료가 늘 들어 있습니다.
    """
    with _told_plainly(), _progress() as progress:
        resources = _resources(collection, progress)
        done = resources.build_index(paths or [], rebuild=rebuild)
    told: dict[str, Any] = {
        "collection": resources.settings.collection,
        "majors": len(done.contents.majors),
        "files": len({chunk.file for chunk in done.contents.chunks}),
        "chunks": len(done.contents.chunks),
        "changes": asdict(done.changes) if done.changes else None,
        "skipped": [asdict(skip) for skip in done.skipped],
    }
    if as_json:
        _print_json(told)
        return
    held = [f"학과 {told['majors']}개"] if told["majors"] else []
    held += [f"문서 {told['files']}개({told['chunks']}조각)"] if told["files"] else []
    out.print(f"{told['collection']}: {', '.join(held)}")
    if done.changes:
        out.print(f"새로 넣은 것 {done.changes.embedded}, 지운 것 {done.changes.removed}, 그대로인 것 {done.changes.kept}")
    else:
        out.print("바뀐 것이 없습니다.")
    for skip in done.skipped:
        err.print(escape(f"읽지 못함: {skip.file} — {skip.why}"), style="yellow")


evaluate = typer.Typer(help="정답이 달린 자료로 부분을 잽니다.", no_args_is_help=True)
app.add_typer(evaluate, name="eval")
Rows = Annotated[Path, typer.Argument(help="정답이 달린 JSONL 파일", show_default=False)]
Floor = Annotated[float | None, typer.Option(help="이보다 낮으면 실패로 끝냄")]


@evaluate.command("router", epilog="예: jindam eval router data/routing/test.jsonl --json")
def evaluate_router(file: Rows, as_json: AsJson = False, floor: Floor = None) -> None:
    """질문 분류기가 {"query", "needs_facts", "needs_counsel", "off_topic"} 줄을 어느 갈래로 보내는지 잽니다."""
    from backend.service import evaluate as measures

    _measure(measures.evaluate_router, file, None, "accuracy", as_json=as_json, floor=floor)


@evaluate.command("retrieval", epilog="예: jindam eval retrieval data/retrieval/test.jsonl --json")
def evaluate_retrieval(file: Rows, collection: Collection = None, as_json: AsJson = False, floor: Floor = None) -> None:
    """{"query", "gold": {"학과명": 2|1}} 줄마다 맞는 학과가 얼마나 앞에 오는지 잽니다."""
    from backend.service import evaluate as measures

    _measure(measures.evaluate_retrieval, file, collection, "ndcg@10", as_json=as_json, floor=floor)


@evaluate.command("safety", epilog="예: jindam eval safety data/safety/test.jsonl --json")
def evaluate_safety(
    file: Rows,
    as_json: AsJson = False,
    floor: Floor = None,
    ceiling: Annotated[float | None, typer.Option(help="헛경보가 이보다 잦으면 실패로 끝냄")] = None,
) -> None:
    """위기 선별이 {"text", "crisis"} 줄에서 도움이 필요한 글을 얼마나 알아보고, 헛경보는 얼마나 내는지 잽니다."""
    from backend.service import evaluate as measures

    result = _measure(measures.evaluate_safety, file, None, "recall", as_json=as_json, floor=floor)
    if ceiling is not None and result["false_alarm_rate"] > ceiling:
        err.print(f"false_alarm_rate {result['false_alarm_rate']} > {ceiling}", style="red")
        raise typer.Exit(1)


def _measure(
    measure: Callable[..., dict[str, Any]],
    file: Path,
    collection: str | None,
    metric: str,
    *,
    as_json: bool,
    floor: float | None,
) -> dict[str, Any]:
    """Run a measurement, print it, and fail below the floor."""
    from rich.progress import track

    with _told_plainly():
        with _progress() as progress:
            resources = _resources(collection, progress)
            _ = resources.retriever
        bar = partial(track, description=file.name, console=err, transient=True)
        result = measure(resources, file, bar)
    if as_json:
        _print_json(result)
    else:
        for name, value in result.items():
            if name not in _LISTS:
                out.print(f"{name:24} {value}")
        for name in _LISTS:
            for row in result.get(name, []):
                out.print(escape(f"{name}: " + " · ".join(map(str, row.values()))), style="dim")
    if floor is not None and result[metric] is not None and result[metric] < floor:
        err.print(f"{metric} {result[metric]} < {floor}", style="red")
        raise typer.Exit(1)
    return result


_LISTS = ("errors", "missed", "false_alarms")
"""Rows that went wrong, in what an evaluation returns."""


@app.command(epilog="예: jindam doctor")
def doctor() -> None:
    """무엇이 설치되어 있고 무엇이 빠졌는지, 어떻게 고치는지 알려 줍니다."""
    from backend.service.doctor import examine

    with _told_plainly():
        findings = examine()
    for finding in findings:
        mark = {"ok": "[green]✓[/green]", "later": "[yellow]·[/yellow]", "broken": "[red]✗[/red]"}[finding.state]
        out.print(f"{mark} [bold]{finding.part}[/bold] {escape(finding.text)}")
        if finding.fix:
            out.print(f"    → {escape(finding.fix)}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Show a failure as what, why and what to do, instead of a traceback."""
    try:
        yield
    except JindamError as error:
        err.print(escape(str(error)), style="red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("\n멈췄습니다.")
        raise typer.Exit(130) from None


@contextmanager
def _opened(collection: str | None, thread: str | None) -> Iterator[Jindam]:
    """A counsellor; a named thread is kept in SQLite, anything else only until the command ends."""
    _check_thread_name(thread)
    with _progress() as progress:
        resources = _resources(collection, progress)
        resources.prepare()
    from backend.service.main import Jindam

    if thread is None:
        yield Jindam(resources)
        return
    from langgraph.checkpoint.sqlite import SqliteSaver

    resources.settings.home.mkdir(parents=True, exist_ok=True)
    with SqliteSaver.from_conn_string(str(resources.settings.threads_file)) as checkpointer:
        yield Jindam(resources, checkpointer=checkpointer)


def _check_thread_name(thread: str | None) -> None:
    import re

    if thread is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", thread):
        raise JindamError(
            f"대화 이름으로 쓸 수 없습니다: {thread!r}",
            why="영문자, 숫자, 밑줄(_), 붙임표(-)로 된 64자까지의 이름만 쓸 수 있습니다.",
            fix="예: --thread hong-1",
        )


def _resources(collection: str | None, progress: Progress) -> Resources:
    from pydantic import ValidationError

    from backend.resources import Resources
    from backend.settings import Settings, get_settings

    settings = get_settings()
    if collection is not None:
        try:
            settings = Settings.model_validate({**settings.model_dump(), "collection": collection})
        except ValidationError as error:
            raise JindamError(
                f"자료 이름으로 쓸 수 없습니다: {collection!r}",
                why="영문자, 숫자, 밑줄(_), 붙임표(-)로 된 3~63자만 쓸 수 있습니다(처음과 끝은 영문자나 숫자).",
                fix="예: --collection school-notes",
            ) from error
    return Resources(settings, progress=progress)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on stderr that appears with the first step of long work."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("색인 만드는 중"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = None

        def advance(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task("", total=total)
            bar.update(task, completed=done)

        yield advance


def _prompt() -> str | None:
    try:
        return out.input("\n[bold]나>[/bold] ")
    except (EOFError, KeyboardInterrupt):
        out.print()
        return None


def _say(jindam: Jindam, question: str, *, profile: str | None, thread_id: str) -> None:
    """Stream one answer; Ctrl-C stops it."""
    from langgraph.runtime import RunControl

    control = RunControl()
    with _stopped_by_ctrl_c(control):
        out.print("[bold]진담>[/bold] ", end="")
        for event in jindam.stream(question, profile=profile, thread_id=thread_id, control=control):
            match event["type"]:
                case "text":
                    out.print(escape(event["text"]), end="")
                case "replace":
                    out.print(f"\n\n{escape(event['text'])}", end="")
                case "stopped":
                    out.print(" [dim](멈췄습니다)[/dim]", end="")
                case "final":
                    out.print()
                    _print_notes(event["answer"])
        out.print()


@contextmanager
def _stopped_by_ctrl_c(control: RunControl) -> Iterator[None]:
    """Let Ctrl-C end the answer and not the program."""

    def stop(number: int, frame: FrameType | None) -> None:
        control.request_drain("user")

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _print_json(result: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")


def _print_answer(answer: Answer) -> None:
    out.print(escape(answer["answer"]))
    _print_notes(answer)


def _print_notes(answer: Answer) -> None:
    """The sources, and what did not work as it should."""
    if answer["sources"]:
        out.print("\n[dim]출처[/dim]")
        for source in answer["sources"]:
            out.print(f"[dim]{escape(_numbered(source['n']))} {escape(_named(source))}[/dim]")
    counsel = answer["answers"].get("finetune")
    if counsel and counsel["origin"] == "vetted":
        out.print(f"[dim]상담 답은 이 글을 위해 지은 것이 아니라 미리 쓰고 검토한 답입니다 (대화 {counsel['dialogue']}).[/dim]")
    for fault in answer["degraded"]:
        out.print(f"[yellow]알림: {escape(fault['reason'])}[/yellow]")
    out.print(f"[dim]{escape(answer['reason'])} {answer['seconds']:.2f}초[/dim]" if answer["reason"] else "")


def _named(source: Source) -> str:
    """간호학과 · 진출 직업 (커리어넷 학과정보); of an own document its file and place."""
    place = f" · {source['field']}" if source["field"] else ""
    origin = f" ({source['origin']})" if source["origin"] != source["title"] else ""
    return f"{source['title']}{place}{origin}"


def _numbered(n: int) -> str:
    return f"[{n}]"


if __name__ == "__main__":
    app()
