"""``python -m finetune``. Heavy imports wait for the command that needs them, so that ``--help`` is instant."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from backend.errors import JindamError

app = typer.Typer(
    help="진담의 상담 모델(Gemma 3)을 LoRA로 학습하고, 재고, 내보냅니다.",
    epilog="예: python -m finetune doctor  ·  python -m finetune train gemma3-270m-cpu  ·  python -m finetune chat --adapter runs/x/adapter",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

ConfigName = Annotated[str, typer.Argument(help="YAML 파일, 또는 함께 오는 설정의 이름", metavar="CONFIG")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="구역.이름=값", help="설정의 값을 바꿈 (여러 번)")]
AsJson = Annotated[bool, typer.Option("--json", help="결과를 JSON 하나로 출력")]
Adapter = Annotated[str, typer.Option(help="PEFT 어댑터 폴더나 허브 이름")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="답의 최대 길이 (토큰)")]
Temperature = Annotated[float, typer.Option(min=0.0, max=2.0, help="0이면 늘 가장 그럴듯한 토큰")]


class Quantization(StrEnum):
    """How the matrices of a merged GGUF are stored."""

    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


@app.command(epilog="예: python -m finetune doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """이 컴퓨터로 무엇을 학습할 수 있는지, 무엇이 빠졌는지 봅니다."""
    with _told_plainly():
        from finetune.doctor import advice, examine

        report = examine()
        lines = advice(report)
    if as_json:
        _print_json(report | {"advice": lines})
        return
    gpu = report["gpu"]
    out.print(
        f"Python {report['python']} · 메모리 {report['memory_gb']}GB (빈 것 {report['free_memory_gb']}GB) · 디스크 {report['free_disk_gb']}GB"
    )
    out.print(
        f"GPU {gpu['name']} {gpu['memory_gb']}GB × {gpu['count']}" if gpu else f"GPU 없음 · CPU 스레드 {report['threads']}개"
    )
    out.print(" · ".join(f"{name} {found or '없음'}" for name, found in report["packages"].items()))
    out.print(
        f"행렬 곱 {report['gflops']['float32']:.0f} GFLOP/s (float32), {report['gflops']['bfloat16']:.0f} GFLOP/s (bfloat16)"
    )
    for line in lines:
        out.print(f"→ {line}")


@app.command(epilog="예: python -m finetune validate data/counseling/train.jsonl --show 1")
def validate(
    file: Annotated[Path, typer.Argument(help="대화 파일 (JSONL)")],
    config: Annotated[str, typer.Option(help="배치와 길이 한도를 정하는 설정")] = "gemma3-270m-cpu",
    overrides: Set = None,
    show: Annotated[int, typer.Option(min=0, help="손실에 세는 토큰을 색으로 보여 줄 대화 수")] = 0,
    as_json: AsJson = False,
) -> None:
    """대화를 학습할 수 있는지 검사하고, 길이와 손실에 세는 토큰을 봅니다. 모델은 열지 않습니다."""
    with _told_plainly():
        from finetune.config import load_config
        from finetune.data import read_split
        from finetune.model import layout_without_weights

        settings = load_config(config, overrides or [])
        layout = layout_without_weights(settings)
        split = read_split(file, layout, max_tokens=settings.data.max_tokens, too_long=settings.data.too_long)
        lengths = sorted(split.lengths)
        report = {
            "rows": len(lengths),
            "dropped": split.dropped,
            "tokens": sum(lengths),
            "scored": split.scored,
            "p50": lengths[len(lengths) // 2],
            "p95": lengths[int(len(lengths) * 0.95)],
            "p99": lengths[int(len(lengths) * 0.99)],
            "longest": lengths[-1],
            "stop": layout.stop,
            "sha256": split.sha256,
        }
    if as_json:
        _print_json(report)
        return
    out.print(
        f"대화 {report['rows']:,}개 (너무 길어 뺀 것 {report['dropped']}개), 토큰 {report['tokens']:,}개, 손실에 세는 것 {report['scored']:,}개"
    )
    out.print(
        f"길이 p50/p95/p99/최대: {report['p50']}/{report['p95']}/{report['p99']}/{report['longest']} 토큰 (한도 {settings.data.max_tokens})"
    )
    out.print(f"답을 끝내는 토큰 {layout.stop} · SHA-256 {split.sha256[:16]}")
    for row in split.encoded[:show]:
        out.rule("[green]초록[/]은 손실에 세는 토큰, 흐린 것은 세지 않는 토큰")
        out.print(layout.show(row))


@app.command(
    epilog="예: python -m finetune estimate seed-recipe --tflops 40  ·  python -m finetune estimate gemma3-270m-cpu --json"
)
def estimate(
    config: ConfigName,
    overrides: Set = None,
    tflops: Annotated[float | None, typer.Option(help="다른 기계의 실제 속도 (TFLOP/s). 없으면 이 기계에서 재어 봄")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="대화 파일 대신, 학습 대화가 이만큼이라고 침")] = None,
    as_json: AsJson = False,
) -> None:
    """학습하기 전에 메모리, 갱신 하나의 시간, 계산량을 어림합니다. 모델의 가중치는 필요 없습니다."""
    with _told_plainly():
        from dataclasses import asdict

        from finetune.config import load_config
        from finetune.estimate import estimate as estimate_run
        from finetune.model import layout_without_weights
        from finetune.train import read_splits

        settings = load_config(config, overrides or [])
        train, validation = read_splits(settings, layout_without_weights(settings))
        lengths, scored = train.lengths, [row.scored for row in train.encoded]
        if rows is not None:
            lengths, scored = [(values * (rows // len(values) + 1))[:rows] for values in (lengths, scored)]
        found = estimate_run(settings, lengths, scored, validation.lengths if validation else [], tflops=tflops)
    if as_json:
        _print_json(asdict(found))
        return
    table = Table(show_header=False, box=None)
    table.add_row("대화", f"{found.rows:,}개, 한 번 도는 데 토큰 {found.tokens_per_epoch:,}개")
    table.add_row("파라미터", f"{found.parameters:,}개 가운데 {found.trainable:,}개를 학습")
    table.add_row("갱신", f"{found.steps:,}번")
    table.add_row("계산량", f"갱신 하나에 {found.gflop_per_step:,.0f} GFLOP, 모두 {found.gflop_total / 1e6:,.2f} PFLOP")
    parts = ", ".join(f"{name} {size:.2f}" for name, size in found.memory_parts_gb.items())
    table.add_row("메모리", f"{found.memory_gb:.2f} GB ({parts})")
    table.add_row("시간", f"갱신 하나에 {found.seconds_per_step:.1f}초, 모두 {found.hours:.1f}시간")
    out.print(table)


@app.command(
    epilog="예: python -m finetune train gemma3-270m-cpu --set train.lr=5e-4 --set train.epochs=2  ·  accelerate launch -m finetune train gemma3-1b-qlora"
)
def train(
    config: ConfigName,
    overrides: Set = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="같은 폴더의 저장점을 지우고 처음부터")] = False,
    as_json: AsJson = False,
) -> None:
    """학습합니다. 끊기면 같은 명령으로 이어집니다. Ctrl-C는 하던 갱신까지 저장하고 멈춥니다."""
    with _told_plainly():
        from dataclasses import asdict

        from finetune.config import load_config
        from finetune.train import train as run_training

        run = run_training(load_config(config, overrides or []), resume=not fresh, console=err)
    if as_json:
        _print_json({key: str(value) if isinstance(value, Path) else value for key, value in asdict(run).items()})
    elif run.interrupted:
        out.print(f"{run.steps}/{run.planned}번째 갱신에서 멈췄습니다. 같은 명령을 다시 실행하면 이어집니다.")
    else:
        losses = f"검증 손실 {run.base_loss:.4f} → {run.best_loss:.4f} · " if run.base_loss and run.best_loss else ""
        out.print(f"{losses}갱신 {run.steps}번 · {run.seconds / 60:.1f}분 · 가장 많이 쓴 메모리 {run.peak_memory_gb:.2f}GB")
        out.print(f"어댑터: {run.adapter}  ·  곡선: {run.output / 'loss.svg'}  ·  기록: {run.output / 'metrics.jsonl'}")
        out.print(f"이어서: python -m finetune chat --adapter {run.adapter} --compare base")
    if run.interrupted:
        raise typer.Exit(130)


@app.command(epilog="예: python -m finetune evaluate --data data/counseling/test.jsonl --adapter runs/x/adapter --json")
def evaluate(
    data: Annotated[Path, typer.Option(help="보지 않은 대화 (JSONL)")],
    adapter: Adapter,
    generate: Annotated[int, typer.Option(min=0, help="답을 지어 볼 대화 수. 0이면 우도만 잼")] = 64,
    limit: Annotated[int | None, typer.Option(min=1, help="이만큼만, 파일에서 고르게")] = None,
    max_new_tokens: MaxNewTokens = 512,
    temperature: Temperature = 0.7,
    seed: int = 0,
    replies: Annotated[Path | None, typer.Option(help="지은 답을 적을 파일 (JSONL)")] = None,
    judge_url: Annotated[str | None, typer.Option(help="판정할 모델의 OpenAI 호환 주소. 대화가 그 서버로 나갑니다")] = None,
    judge_model: Annotated[str | None, typer.Option(help="판정할 모델의 이름")] = None,
    judge_key: Annotated[str, typer.Option(envvar="JINDAM_JUDGE_KEY", help="판정 서버의 키")] = "none",
    as_json: AsJson = False,
) -> None:
    """보지 않은 대화에서 바탕 모델과 어댑터를 잽니다: 우도, 멈춤, 되풀이, 한국어, 닮음."""
    with _told_plainly(), _stages() as advance:
        if (judge_url is None) != (judge_model is None):
            raise JindamError(
                "판정할 모델을 알 수 없습니다.",
                why="주소와 이름 가운데 하나만 있습니다.",
                fix="--judge-url과 --judge-model을 함께 적어 주세요.",
            )
        from finetune.measure import measure_pair

        chat = None
        if judge_url is not None:
            from pydantic import SecretStr

            from backend.models.gemma import open_counsellor
            from backend.settings import Settings

            chat = open_counsellor(
                Settings(
                    chat_engine="openai",
                    chat_base_url=judge_url,
                    chat_model=judge_model,
                    chat_api_key=SecretStr(judge_key),
                    chat_temperature=0.0,
                )
            ).chat
        report = measure_pair(
            adapter, data, limit=limit, generate=generate, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed,
            replies=replies, judge_with=chat, advance=advance,
        )  # fmt: skip
    if as_json:
        _print_json(report)
        return
    table = Table("", "바탕", "어댑터", title=f"대화 {report['rows']}개, 지은 답 {report['generated']}개")
    for key in report["tuned"]:
        table.add_row(key, str(report["base"][key]), str(report["tuned"][key]))
    out.print(table)
    low, high = report["gain"]["interval"]
    out.print(f"어댑터가 토큰마다 {report['gain']['nll']:.3f} nat 낮습니다 (95% 구간 {low:.3f}–{high:.3f}).")
    if "judge" in report:
        out.print(f"판정: {report['judge']}")


@app.command(
    epilog='예: python -m finetune chat --adapter runs/x/adapter --compare base --max-new-tokens 200  ·  … chat --adapter … "질문"'
)
def chat(
    adapter: Adapter,
    question: Annotated[str | None, typer.Argument(help="한 번만 물을 말. 없으면 이어서 묻습니다")] = None,
    compare: Annotated[str | None, typer.Option(help="base: 바탕 모델의 답도 나란히")] = None,
    max_new_tokens: MaxNewTokens = 200,
    temperature: Temperature = 0.7,
    seed: int = 0,
) -> None:
    """어댑터와 이야기해 봅니다. 위기 검사도 답 검사도 없으니 학생에게 쓰지 마세요."""
    with _told_plainly():
        if compare not in (None, "base"):
            raise JindamError(
                f"--compare {compare}은(는) 쓸 수 없습니다.",
                why="나란히 볼 수 있는 것은 base뿐입니다.",
                fix="--compare base 로 적어 주세요.",
            )
        from finetune.chat import SIDES, Pair, infer

        pair = Pair(adapter)
        while (asked := question or _prompt()) is not None:
            for side in SIDES if compare else ("tuned",):
                text = infer(pair, side, asked, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
                out.print(f"[bold]{'바탕' if side == 'base' else '어댑터'}[/] {escape(text)}\n")
            if question:
                break


@app.command(epilog="예: python -m finetune export runs/x/adapter --out dist --lora --gguf q8_0  ·  … --push me/jindam --dry-run")
def export(
    adapter: Annotated[Path, typer.Argument(help="train이 만든 adapter 폴더")],
    to: Annotated[Path, typer.Option("--out", help="내보낼 폴더")] = Path("dist"),
    lora: Annotated[bool, typer.Option("--lora", help="그래프가 읽는 LoRA GGUF도 (JINDAM_CHAT_ADAPTER)")] = False,
    merged: Annotated[bool, typer.Option("--merged", help="합친 transformers 폴더도")] = False,
    gguf: Annotated[list[Quantization] | None, typer.Option(help="합친 GGUF와 Ollama Modelfile도 (여러 번)")] = None,
    box: Annotated[bool, typer.Option("--box", help="함께 배포할 작은 꼴로: bfloat16, LoRA GGUF까지, 토크나이저 없이")] = False,
    push: Annotated[str | None, typer.Option(help="허브의 비공개 저장소에 올림 (사용자/이름)")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="올리지 않고 무엇이 올라갈지만")] = False,
) -> None:
    """어댑터를 모델 카드와 함께 내보냅니다. 원하면 llama.cpp, transformers, Ollama, 허브로도."""
    with _told_plainly(), _stages() as advance:
        from finetune import export as exporting

        if box:
            if lora or merged or gguf or push:
                raise JindamError(
                    "--box는 다른 꼴과 함께 쓸 수 없습니다.",
                    why="--box는 폴더 하나를 정해진 파일로만 채웁니다.",
                    fix="--box만 쓰고, 다른 꼴은 --out을 다른 폴더로 해 따로 내보내 주세요.",
                )
            out.print(f"어댑터와 LoRA GGUF: {exporting.export_box(adapter, to)}")
            return
        said = [f"어댑터: {exporting.export_adapter(adapter, to / 'adapter')}"]
        if lora:
            said.append(f"LoRA GGUF: {exporting.export_lora(adapter, to / exporting.LORA_FILE)}")
        if merged:
            said.append(f"합친 모델: {exporting.export_merged(adapter, to / 'merged')}")
        for kind in gguf or []:
            file = to / f"jindam-{kind.value}.gguf"
            exporting.export_gguf(adapter, file, kind.value, partial(advance, f"GGUF {kind.value}"))
            said.append(f"합친 GGUF: {file} (Ollama: ollama create jindam -f {to / 'Modelfile'})")
        if push:
            files = exporting.push(to / "adapter", push, dry_run=dry_run)
            said.append(f"{push}에 {'올라갈' if dry_run else '올린'} 파일: {', '.join(files)}")
    for line in said:
        out.print(line)


@app.command(
    epilog="예: python -m finetune sweep gemma3-270m-cpu --out runs/sweep --set data.limit=200 --set train.epochs=1 "
    "--vary train.lr=5e-4,2e-3 --vary lora.rank=8,64 --repeats 3"
)
def sweep(
    config: ConfigName,
    vary: Annotated[list[str], typer.Option(metavar="구역.이름=값,값", help="하나씩 바꾸어 볼 값 (여러 번)")],
    overrides: Set = None,
    to: Annotated[Path, typer.Option("--out", help="결과를 둘 폴더")] = Path("runs/sweep"),
    repeats: Annotated[int, typer.Option(min=1, help="바꾸지 않은 설정을 시드를 달리해 돌릴 횟수: 우연의 크기")] = 3,
    as_json: AsJson = False,
) -> None:
    """설정의 값을 하나씩 바꾸어 학습하고, 검증 손실을 견줍니다. 끊기면 같은 명령으로 이어집니다."""
    with _told_plainly():
        from finetune import sweep as sweeping
        from finetune.plots import plot_sweep

        results = sweeping.sweep(
            config, overrides or [], vary, to, repeats=repeats, announce=lambda text: err.rule(escape(text), style="dim")
        )
        plot_sweep(results, to / sweeping.PICTURE)
    if as_json:
        _print_json(results)
        return
    out.print(sweeping.table(results), markup=False)
    out.print(f"표: {to / sweeping.TABLE}  ·  그림: {to / sweeping.PICTURE}")


@app.command(epilog="예: python -m finetune bench --out runs/bench --rows 160")
def bench(
    to: Annotated[Path, typer.Option("--out", help="결과를 둘 폴더")] = Path("runs/bench"),
    rows: Annotated[int, typer.Option(min=16, help="학습 대화 수")] = 160,
    validation_rows: Annotated[int, typer.Option(min=8, help="검증 대화 수")] = 60,
    steps: Annotated[int, typer.Option(min=2, help="비용을 잴 갱신 수")] = 5,
    epochs: Annotated[float, typer.Option(min=1, help="씨앗 조리법의 에폭")] = 10,
    our_epochs: Annotated[float, typer.Option(min=1, help="우리 조리법의 에폭")] = 2,
    as_json: AsJson = False,
) -> None:
    """씨앗 조리법과 우리 조리법의 비용을 같은 대화로 잽니다. CPU에서 두 시간쯤, 끊기면 같은 명령으로 이어집니다."""
    with _told_plainly():
        from finetune import bench as benching
        from finetune.plots import plot_bench

        found = benching.bench(
            to, rows=rows, validation_rows=validation_rows, steps=steps, epochs=epochs, our_epochs=our_epochs,
            announce=lambda text: err.rule(escape(text), style="dim"),
        )  # fmt: skip
        plot_bench(found, to / benching.PICTURE)
    if as_json:
        _print_json(found)
        return
    out.print(benching.report(found), markup=False)
    out.print(f"표: {to / benching.REPORT}  ·  그림: {to / benching.PICTURE}")


@contextmanager
def _told_plainly() -> Iterator[None]:
    """A failure that is meant for the reader ends the program with its text and status 1; libraries keep their asides to themselves."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft|accelerate")
    try:
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        yield
    except ImportError as error:
        if error.name and error.name.split(".")[0] in ("backend", "finetune"):
            raise
        _fail(
            JindamError(
                "학습에 필요한 패키지가 없습니다.",
                why=f"{error.name or error}을(를) 찾지 못했습니다.",
                fix="pip install 'jindam[finetune]' -c constraints.txt 로 설치해 주세요.",
            )
        )
    except JindamError as error:
        _fail(error)
    except KeyboardInterrupt:
        err.print("멈췄습니다.")
        raise typer.Exit(130) from None


def _fail(error: JindamError) -> None:
    err.print(escape(str(error)), style="red")
    raise typer.Exit(1) from None


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each stage, as it comes."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err
    ) as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance


def _prompt() -> str | None:
    try:
        while not (text := input("나> ").strip()):
            pass
    except (EOFError, KeyboardInterrupt):
        return None
    return text


def _print_json(report: Any) -> None:
    typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
