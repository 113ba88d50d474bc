"""What does our recipe cost against the seed's? One slice of the dialogues, one machine, one run, on the embedded 270M.

1. *Is the seed's step the same without its padding?* A row padded to 2048 beside the same row unpadded, dropout off: loss and
   gradient. If they agree, the seed's learning curve may be drawn with the cheap step.
2. *What does an update cost?* A few real updates of every rung between the seed's recipe and ours, each in a process of its own:
   seconds and peak memory; and the first of them once more under ``torch.utils.flop_counter``: its operations.
3. *How many updates to the same loss?* The seed's recipe until its held-out loss has passed its best, then ours until it is there.

The cost of a recipe is its operations an update times its updates to the seed's own best held-out loss. The base is not quantised in
either: NF4 changes the memory of the frozen weights, which a 270M hardly notices, and would slow the seed's steps down on a CPU.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from backend.errors import JindamError
from finetune.config import Config, load_config

RESULTS = "bench.json"
REPORT = "bench.md"
PICTURE = "bench.svg"
_ROWS_PER_UPDATE = 8
"""In both recipes: 2 × 4 and 1 × 8."""

Announce = Callable[[str], None]

_SEED = ["model.base=embedded", "model.quantize=none", "train.optimizer=adamw_torch", "data.stop=auto"]
_UNPADDED = [
    "data.pad_to=null", "lora.dropout=0", "train.checkpointing=false", "model.attention=auto", "train.batch_size=1", "train.accumulation=8",
]  # fmt: skip
"""The same update without what only costs: eight rows one at a time, their losses summed over all their tokens as before."""

LADDER: list[tuple[str, str, list[str]]] = [
    (
        "seed recipe: rows padded to 2048, checkpointing, all logits, all tokens scored",
        "seed-recipe",
        [*_SEED, "train.batch_size=2", "train.accumulation=1"],
    ),
    ("no padding beyond the batch", "seed-recipe", [*_SEED, "data.pad_to=null"]),
    ("no activation checkpointing", "seed-recipe", [*_SEED, "data.pad_to=null", "train.checkpointing=false"]),
    (
        "one row a batch: no padding at all",
        "seed-recipe",
        [*_SEED, "data.pad_to=null", "train.checkpointing=false", "train.batch_size=1", "train.accumulation=8"],
    ),
    (
        "official template, only replies scored",
        "gemma3-270m-cpu",
        ["train.head=full", "lora.rank=32", "lora.dropout=0.05", "model.attention=eager"],
    ),
    ("head on scored positions only, no second pass", "gemma3-270m-cpu", ["lora.rank=32", "lora.dropout=0.05"]),
    ("LoRA in one step (no dropout)", "gemma3-270m-cpu", ["lora.rank=32"]),
    ("ours: the shipped configuration", "gemma3-270m-cpu", []),
]
"""Name, configuration and overrides of each rung; every rung keeps what the one before changed. The first is measured two rows an
update, the seed's batch without its accumulation, and told for eight: every padded row costs the same."""


def bench(
    out: Path, *, rows: int, validation_rows: int, steps: int, epochs: float, our_epochs: float, announce: Announce
) -> dict[str, Any]:
    """Measure what is not in ``out`` yet; returns all figures.

    Raises:
        JindamError: the weights cannot be had, the data cannot be read, or ``out`` holds figures of another slice.

    """
    out.mkdir(parents=True, exist_ok=True)
    slice_ = [f"data.limit={rows}", f"data.validation_limit={validation_rows}"]
    file = out / RESULTS
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def phase(name: str, work: Callable[[], Any]) -> Any:
        if name not in found:
            announce(name)
            found[name] = work()
            file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return found[name]

    asked = {
        "rows": rows,
        "validation_rows": validation_rows,
        "updates_measured": steps,
        "epochs": epochs,
        "our_epochs": our_epochs,
    }
    if found and found["slice"] != asked:
        raise JindamError(
            f"{out}에는 다른 조건으로 잰 것이 들어 있습니다.",
            why=f"그때는 {found['slice']}, 지금은 {asked}입니다.",
            fix="같은 조건으로 이어 재거나 --out을 다른 폴더로 해 주세요.",
        )
    phase("slice", lambda: asked)
    phase("padding", lambda: _apart(_padded_beside_unpadded, [*_SEED, *slice_]))
    for name, config, overrides in LADDER:
        measured = [*overrides, *slice_, f"train.max_steps={steps}", "data.validation=null", f"train.output={out / 'steps'}"]
        phase(name, lambda config=config, measured=measured: _apart(_cost_of_an_update, config, measured))  # type: ignore[misc]
    phase("plain TRL", lambda: _apart(_cost_of_plain_trl, slice_, steps))
    per_epoch = -(-rows // _ROWS_PER_UPDATE)
    phase(
        "seed curve",
        lambda: _curve(
            "seed-recipe",
            [*_SEED, *_UNPADDED, *slice_, f"train.epochs={epochs}", "train.evaluations_per_epoch=2", "train.stop_on=held_out",
             "train.patience=4", f"train.output={out / 'seed-curve'}"],
        ),
    )  # fmt: skip
    phase(
        "our curve",
        lambda: _curve(
            "gemma3-270m-cpu",
            [*slice_, f"train.epochs={our_epochs}", f"train.evaluations_per_epoch={per_epoch / 5}", "train.stop_on=never",
             f"train.output={out / 'our-curve'}"],
        ),
    )  # fmt: skip
    found["result"] = result(found)
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (out / REPORT).write_text(report(found), encoding="utf-8")
    return found


def result(found: dict[str, Any]) -> dict[str, Any]:
    """Updates, operations and seconds of both recipes to the seed's own best held-out loss."""
    best = min(found["seed curve"], key=lambda point: point["eval_loss"])
    there = next((point for point in found["our curve"] if point["eval_loss"] <= best["eval_loss"]), None)
    seed, ours = found[LADDER[0][0]], found[LADDER[-1][0]]
    figures: dict[str, Any] = {
        "target": round(best["eval_loss"], 4),
        "seed": _to_target(seed, best["step"]),
        "ours": _to_target(ours, there["step"]) if there else None,
        "memory_ratio": round(ours["peak_memory_gb"] / seed["peak_memory_gb"], 3),
    }
    if there:
        figures["compute_ratio"] = round(figures["seed"]["gflop"] / figures["ours"]["gflop"], 1)
        figures["seconds_ratio"] = round(figures["seed"]["seconds"] / figures["ours"]["seconds"], 1)
    return figures


def report(found: dict[str, Any]) -> str:
    """The ladder as Markdown."""
    figures, seed = found["result"], found[LADDER[0][0]]
    target, to_seed = figures["target"], figures["seed"]["updates"]
    to_ours = figures["ours"]["updates"] if figures["ours"] else None
    padding = found["padding"]
    lines = [
        f"Slice: {found['slice']['rows']} dialogues, held out {found['slice']['validation_rows']}; seconds are the median of "
        f"{found['slice']['updates_measured']} real updates of {_ROWS_PER_UPDATE} dialogues, operations are those of the first.",
        f"Padded beside unpadded step, dropout off: losses {padding['padded']:.5f} and {padding['unpadded']:.5f}, "
        f"gradients {padding['gradient_difference']:.1g} of their norm apart.",
        f"Seed's own best held-out loss: {target:.4f} nats per token, after {to_seed} updates.",
        "",
        "| | tokens/s | GFLOP an update | × fewer | seconds an update | updates to the loss | PFLOP | minutes | peak GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rungs = [(name, to_seed) for name, _, _ in LADDER[:-1]] + [(LADDER[-1][0], to_ours), ("plain TRL", to_ours)]
    before = None
    for name, updates in rungs:
        cost = found[name]
        fewer = f"{before / cost['gflop']:.2f}" if before else ""
        before = cost["gflop"] if name != LADDER[-1][0] else None
        total = (
            f"{updates} | {updates * cost['gflop'] / 1e6:.3f} | {updates * cost['seconds'] / 60:.0f}" if updates else "— | — | —"
        )
        lines.append(
            f"| {name} | {cost['tokens_per_second']:.0f} | {cost['gflop']:,.0f} | {fewer} | {cost['seconds']:.1f} | {total} | "
            f"{cost['peak_memory_gb']:.2f} |"
        )
    if to_ours:
        lines += [
            "",
            f"**{figures['compute_ratio']}× less compute, {figures['seconds_ratio']}× fewer seconds, "
            f"{100 * figures['memory_ratio']:.0f}% of the peak memory** "
            f"({seed['gflop'] / found[LADDER[-1][0]]['gflop']:.1f}× by the update, {to_seed / to_ours:.1f}× by fewer updates).",
        ]
    return "\n".join(lines) + "\n"


def _to_target(cost: dict[str, float], updates: int) -> dict[str, float]:
    return {"updates": updates, "gflop": round(updates * cost["gflop"]), "seconds": round(updates * cost["seconds"])}


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run it in a fresh process: its peak memory is then its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _cost_of_an_update(config: str, overrides: Sequence[str]) -> dict[str, float]:
    from rich.console import Console
    from torch.utils.flop_counter import FlopCounterMode

    from finetune.train import METRICS, train

    settings = load_config(config, [*overrides, "train.logging_steps=1"])
    run = train(settings, resume=False, console=Console(quiet=True))
    lines = [json.loads(line) for line in (run.output / METRICS).read_text(encoding="utf-8").splitlines()]
    once = settings.model_copy(update={"train": settings.train.model_copy(update={"max_steps": 1})})
    with FlopCounterMode(display=False) as counter:  # it keeps every step's tensors alive, so it counts a run of its own
        train(once, resume=False, console=Console(quiet=True))
    cost = _cost(counter.get_total_flops(), lines, run.peak_memory_gb)
    times = _ROWS_PER_UPDATE / (settings.train.batch_size * settings.train.accumulation)
    return cost | {"gflop": round(times * cost["gflop"], 1), "seconds": round(times * cost["seconds"], 2)}


def _cost(flop: float, lines: Sequence[dict[str, Any]], peak_memory_gb: float) -> dict[str, float]:
    """``lines`` are those of ``metrics.jsonl``, one an update."""
    told = [(line["tokens"], line["tokens_per_second"]) for line in lines if "tokens_per_second" in line]
    before = [0, *(tokens for tokens, _ in told[:-1])]
    seconds = [(tokens - earlier) / speed for (tokens, speed), earlier in zip(told, before, strict=True)]
    return {
        "gflop": round(flop / 1e9, 1),
        "seconds": round(statistics.median(seconds), 2),
        "tokens_per_second": round(told[-1][0] / sum(seconds), 1),
        "peak_memory_gb": round(peak_memory_gb, 3),
    }


def _cost_of_plain_trl(slice_: Sequence[str], steps: int) -> dict[str, float]:
    """TRL's trainer and PEFT's layers with their defaults, on the same tokens and labels, in the seed's batches."""
    import tempfile
    import time

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from finetune.model import layout_of, open_base
    from finetune.train import peak_memory, read_splits

    config = load_config("gemma3-270m-cpu", [*slice_, "model.attention=sdpa", "data.validation=null"])
    base = open_base(config.model)
    train, _ = read_splits(config, layout_of(config, base))
    columns = train.columns()
    began: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            began.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=base.model,
            args=SFTConfig(
                output_dir=folder, max_steps=steps, per_device_train_batch_size=2, gradient_accumulation_steps=4, use_cpu=not torch.cuda.is_available(),
                bf16=False, report_to=[], disable_tqdm=True, save_strategy="no", dataset_kwargs={"skip_prepare_dataset": True},
            ),
            train_dataset=Dataset.from_dict(columns),
            processing_class=base.tokenizer,
            peft_config=LoraConfig(
                r=config.lora.rank, lora_alpha=int(config.lora.alpha), target_modules=list(config.lora.targets), task_type="CAUSAL_LM"
            ),
        )  # fmt: skip
        trainer.add_callback(Clock())
        trainer.train()
        began.append(time.perf_counter())
        seconds, peak = [after - before for before, after in pairwise(began)], peak_memory()
        trainer.args.max_steps = 1
        with FlopCounterMode(display=False) as counter:
            trainer.train()
    tokens = statistics.fmean(len(ids) for ids in columns["input_ids"]) * _ROWS_PER_UPDATE
    return {
        "gflop": round(counter.get_total_flops() / 1e9, 1),
        "seconds": round(statistics.median(seconds), 2),
        "tokens_per_second": round(tokens / statistics.fmean(seconds), 1),
        "peak_memory_gb": round(peak / 1e9, 3),
    }


def _padded_beside_unpadded(overrides: Sequence[str]) -> dict[str, float]:
    """Loss and adapter gradient of a row padded to 2048 and not padded, in float32."""
    import torch
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from finetune.model import add_adapter, layout_of, open_base
    from finetune.train import read_splits

    exact = ["lora.dropout=0", "model.attention=eager", "model.dtype=float32", "data.validation=null"]
    config = load_config("seed-recipe", [*overrides, *exact])
    base = open_base(config.model)
    layout = layout_of(config, base)
    row = read_splits(config, layout)[0].encoded[0]
    model = add_adapter(base.model, config.lora).train()
    with torch.no_grad():  # B starts at zero, and A's gradient with it
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.01)

    def loss_and_gradient(**batch: Any) -> tuple[float, Any]:
        loss = model(**batch, num_items_in_batch=row.scored).loss
        loss.backward()
        flat = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.requires_grad])
        model.zero_grad()
        return loss.item(), flat

    collate = DataCollatorForLanguageModeling(base.tokenizer.pad_token_id, pad_to_multiple_of=config.data.pad_to)
    padded, with_padding = loss_and_gradient(**collate([{"input_ids": row.input_ids, "labels": row.labels}]))
    unpadded, without = loss_and_gradient(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels]))
    return {
        "padded": round(padded, 5),
        "unpadded": round(unpadded, 5),
        "gradient_difference": float(f"{((with_padding - without).norm() / without.norm()).item():.2g}"),
    }


def _curve(config: str, overrides: Sequence[str]) -> list[dict[str, float]]:
    """The held-out losses of a run, by update; a run that was cut off goes on."""
    from rich.console import Console

    from finetune.train import METRICS, train

    settings: Config = load_config(config, overrides)
    run = train(settings, console=Console(stderr=True))
    if run.interrupted:
        raise KeyboardInterrupt
    lines = [json.loads(line) for line in (run.output / METRICS).read_text(encoding="utf-8").splitlines()]
    return [{"step": line["step"], "eval_loss": line["eval_loss"]} for line in lines if "eval_loss" in line]
