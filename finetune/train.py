"""A whole run: open, check, train, keep the best adapter with its manifest, metrics and a plot."""

from __future__ import annotations

import json
import math
import resource
import shutil
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets.utils.logging import disable_progress_bar
from rich.console import Console
from safetensors import SafetensorError, safe_open
from transformers import EarlyStoppingCallback

from backend.errors import JindamError
from backend.files import require_space, written_aside
from backend.models.adapter_manifest import Manifest, now_and_with_what, sha256_of_text
from finetune.callbacks import Bar, CustomEarlyStopping, EvaluateAtTheEnd, Record, SaveNowAndThen, StopOnCtrlC
from finetune.config import Config
from finetune.data import Split, read_split
from finetune.model import Base, add_adapter, layout_of, open_base, trainable_parameters
from finetune.plots import plot_losses
from finetune.template import Layout
from finetune.trainer import CounselTrainer, training_arguments

ADAPTER = "adapter"
METRICS = "metrics.jsonl"
_RUN = "run.yaml"
_CHECKPOINT_FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json")


@dataclass(frozen=True)
class Run:
    """What a run came to."""

    output: Path
    steps: int
    planned: int
    trainable: int
    interrupted: bool
    base_loss: float | None
    """Held-out nats per token before the first update."""
    best_loss: float | None
    """Of the checkpoint that was kept."""
    seconds: float
    tokens: int
    peak_memory_gb: float
    """Of the process (CPU) or of the device (GPU)."""

    @property
    def adapter(self) -> Path:
        """The folder of the best adapter."""
        return self.output / ADAPTER


def read_splits(config: Config, layout: Layout) -> tuple[Split, Split | None]:
    """The rows to learn and the held-out rows, of which only the replies count, so that losses of different recipes compare.

    Raises:
        JindamError: a file cannot be used, or a held-out row is also a training row.

    """
    data = config.data
    train = read_split(data.train, layout, max_tokens=data.max_tokens, too_long=data.too_long, limit=data.limit)
    if data.validation is None:
        return train, None
    validation = read_split(
        data.validation,
        replace(layout, scored="replies"),
        max_tokens=data.max_tokens,
        too_long=data.too_long,
        limit=data.validation_limit,
    )
    shared = {dialogue.messages for dialogue in train.dialogues} & {dialogue.messages for dialogue in validation.dialogues}
    if shared:
        raise JindamError(
            f"검증 대화 {len(shared)}개가 학습 대화에도 있습니다.",
            why="배운 대화로 재면 손실이 실제보다 좋아 보입니다.",
            fix="python -m backend.embedding.make_finetune_dataset 로 다시 나누어 주세요.",
        )
    return train, validation


def planned_steps(rows: int, config: Config) -> int:
    """Updates of a run over ``rows`` sequences, counted as transformers' ``Trainer`` counts them (a last, smaller update included)."""
    return config.train.max_steps or math.ceil(config.train.epochs * steps_per_epoch(rows, config))


def steps_per_epoch(rows: int, config: Config) -> int:
    """Updates of one epoch on one device."""
    return max(1, math.ceil(math.ceil(rows / config.train.batch_size) / config.train.accumulation))


def train(config: Config, *, resume: bool = True, console: Console | None = None) -> Run:
    """Train as ``config`` says; a run that was cut off goes on from its last whole checkpoint.

    Raises:
        JindamError: data, base, disk or an earlier run in the same folder forbid it.

    """
    console = console or Console(stderr=True)
    disable_progress_bar()
    output = config.train.output
    output.mkdir(parents=True, exist_ok=True)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    base = open_base(config.model)
    layout = layout_of(config, base)
    train_split, validation = read_splits(config, layout)
    model = add_adapter(base.model, config.lora, seed=config.train.seed)
    trainable = trainable_parameters(model)
    require_space(output, 12 * trainable * (config.train.keep + 2) + 50_000_000)  # weights and two moments, in float32
    manifest = _manifest(config, base, layout, train_split, validation)
    if not resume:
        _fresh(output)
    checkpoint = _checkpoint_to_resume(config, manifest, console)
    _describe(console, config, base, layout, train_split, validation, trainable)
    args = training_arguments(config, steps_per_epoch(len(train_split.encoded), config), cpu=not torch.cuda.is_available())
    args.eval_on_start = args.eval_on_start and checkpoint is None
    trainer = CounselTrainer(config, base, model, train_split, validation, args, layout.stop_id)
    interrupted = _run(trainer, config, checkpoint, console)
    return _finish(trainer, base, manifest, output, trainable, interrupted=interrupted)


def peak_memory() -> int:
    """The most bytes that the device (GPU) or this process (CPU) has held so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _run(trainer: CounselTrainer, config: Config, checkpoint: Path | None, console: Console) -> bool:
    """Train; True if somebody pressed Ctrl-C."""
    record, bar, ctrl_c = Record(config.train.output / METRICS), Bar(console), StopOnCtrlC()
    record.trainer = bar.trainer = trainer
    for name in ("PrinterCallback", "ProgressCallback"):
        for callback in [c for c in trainer.callback_handler.callbacks if type(c).__name__ == name]:
            trainer.remove_callback(callback)
    for callback in [record, bar, SaveNowAndThen(), EvaluateAtTheEnd(), ctrl_c]:
        trainer.add_callback(callback)
    match config.train.stop_on:
        case "held_out" if trainer.validation is not None:
            trainer.add_callback(EarlyStoppingCallback(config.train.patience, config.train.min_delta))
        case "train_loss":
            trainer.add_callback(CustomEarlyStopping(config.train.patience, config.train.min_delta))
        case _:
            pass
    try:
        with ctrl_c.listening(console):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (OSError, RuntimeError, SafetensorError) as error:
        if shutil.disk_usage(config.train.output).free > 50_000_000:
            raise
        raise JindamError(
            "디스크가 가득 차 학습을 멈췄습니다.",
            why=f"{config.train.output}에 저장하지 못했습니다: {str(error).splitlines()[0]}",
            fix="공간을 비우고 같은 명령을 다시 실행하면 마지막 온전한 저장점부터 이어집니다.",
        ) from error
    finally:
        bar.close()
    return ctrl_c.asked


def _finish(trainer: CounselTrainer, base: Base, manifest: Manifest, output: Path, trainable: int, *, interrupted: bool) -> Run:
    lines = [json.loads(line) for line in (output / METRICS).read_text(encoding="utf-8").splitlines()]
    held_out = [line["eval_loss"] for line in lines if "eval_loss" in line]
    state = trainer.state
    run = Run(
        output=output,
        steps=state.global_step,
        planned=state.max_steps,
        trainable=trainable,
        interrupted=interrupted,
        base_loss=held_out[0] if held_out else None,
        best_loss=min(held_out[1:], default=None),
        seconds=round(next((line["train_runtime"] for line in reversed(state.log_history) if "train_runtime" in line), 0.0), 1),
        tokens=trainer.tokens,
        peak_memory_gb=round(peak_memory() / 1e9, 3),
    )
    if trainer.is_world_process_zero():
        plot_losses(lines, output / "loss.svg")
        if not interrupted:
            result = {"steps": run.steps, "base_loss": run.base_loss, "best_loss": run.best_loss}
            with written_aside(run.adapter) as fresh:
                trainer.tuned.peft_config["default"].base_model_name_or_path = base.hub_name  # not where it lies here
                trainer.tuned.save_pretrained(fresh, save_embedding_layers=False)
                (fresh / "README.md").unlink(missing_ok=True)  # PEFT's empty card; the export writes a real one
                base.tokenizer.save_pretrained(fresh)
                manifest.model_copy(update={"result": result}).write(fresh)
    return run


def _manifest(config: Config, base: Base, layout: Layout, train: Split, validation: Split | None) -> Manifest:
    plain = config.model_dump(mode="json")
    del plain["train"]["output"]
    return Manifest(
        base=base.name,
        hub_name=base.hub_name,
        base_sha256=base.sha256,
        template_sha256=layout.sha256,
        layout=layout.kind,
        stop=layout.stop,
        tokenizer_sha256=sha256_of_text(json.dumps(sorted(base.tokenizer.get_vocab().items()))),
        train_sha256=train.sha256,
        validation_sha256=validation.sha256 if validation else None,
        rows=len(train.encoded),
        config=plain,
        **now_and_with_what(),
    )


def _checkpoint_to_resume(config: Config, manifest: Manifest, console: Console) -> Path | None:
    """The newest whole checkpoint of the same run, if there is one.

    Raises:
        JindamError: the folder holds another run, or a finished one.

    """
    output = config.train.output
    found = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    identity = json.loads(manifest.model_dump_json(exclude={"made", "libraries", "result", "files"}))
    if found and (output / _RUN).is_file():
        before = yaml.safe_load((output / _RUN).read_text(encoding="utf-8"))
        if different := sorted(_different(before, identity)):
            raise JindamError(
                f"{output}에는 다른 학습이 들어 있습니다.",
                why=f"다른 점: {', '.join(different)}",
                fix="train.output을 다른 폴더로 하거나, 처음부터 다시 하려면 --fresh를 붙여 주세요.",
            )
    (output / _RUN).write_text(yaml.safe_dump(identity, allow_unicode=True, sort_keys=False), encoding="utf-8")
    for folder in found:
        if (damage := _damage(folder)) is None:
            console.print(f"{folder.name}부터 이어서 합니다.")
            return folder
        console.print(f"[yellow]{folder.name}은(는) 온전하지 않아 건너뜁니다: {damage}[/]")
    if found:
        raise JindamError(
            f"{output}의 저장점이 모두 온전하지 않습니다.",
            why=str(_damage(found[0])),
            fix="처음부터 다시 하려면 --fresh를 붙여 주세요.",
        )
    return None


def _fresh(output: Path) -> None:
    for folder in output.glob("checkpoint-*"):
        shutil.rmtree(folder)
    for name in (METRICS, _RUN):
        (output / name).unlink(missing_ok=True)


def _different(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    names = []
    for key in before.keys() | now.keys():
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            names += _different(a, b, f"{path}{key}.")
        elif a != b:
            names.append(f"{path}{key}")
    return names


def _damage(checkpoint: Path) -> str | None:
    """What is missing or cut off in a checkpoint."""
    for pattern in _CHECKPOINT_FILES:
        file = next(checkpoint.glob(pattern), None)
        if file is None:
            return f"{pattern} 없음"
        name = file.name
        try:
            if name.endswith(".safetensors"):
                with safe_open(file, framework="pt") as tensors:
                    tensors.keys()
            elif name.endswith(".json"):
                json.loads(file.read_text(encoding="utf-8"))
            else:
                with zipfile.ZipFile(file) as archive:
                    archive.testzip()
        except (OSError, ValueError, SafetensorError, zipfile.BadZipFile):
            return f"{name} 잘림"
    return None


def _describe(
    console: Console, config: Config, base: Base, layout: Layout, train: Split, validation: Split | None, trainable: int
) -> None:
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, 스레드 {torch.get_num_threads()}개"
    lengths = sorted(train.lengths)
    console.print(
        f"모델  {base.name} ({config.model.dtype}{', nf4' * (config.model.quantize == 'nf4')}), {where}\n"
        f"어댑터  r={config.lora.rank}, 학습할 수 {trainable:,}개; 답을 끝내는 토큰 {layout.stop}\n"
        f"학습  대화 {len(train.encoded):,}개, 토큰 {sum(lengths):,}개 (가운데값 {lengths[len(lengths) // 2]}, 손실에 세는 것 {train.scored:,}개)"
        + (f"; 너무 길어 뺀 것 {train.dropped}개" if train.dropped else "")
        + (f"\n검증  대화 {len(validation.encoded):,}개" if validation else "\n검증  없음: 마지막 어댑터를 남깁니다")
        + f"\n갱신  {planned_steps(len(train.encoded), config):,}번 (한 번에 {config.train.batch_size}×{config.train.accumulation}개), 학습률 {config.train.lr:g}",
        highlight=False,
    )
