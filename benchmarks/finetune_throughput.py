"""What each part of our training step gives, on the embedded Gemma 3 270M and this machine's CPU.

    python -m benchmarks.finetune_throughput            (about ten minutes)

Every row of the ladder trains a fresh adapter (r 32, all layers, replies scored) on the same dialogues in the same order,
in the same run. The first row is a plain loop over PEFT and transformers: ``model(input_ids=…, labels=…).loss.backward()``.
Losses are the mean over all updates; two rows differ by what bfloat16 rounds, so the last lines compare both ends in
float32 too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from finetune.config import AdapterConfig, Config, ModelConfig
from finetune.data import read_split
from finetune.loss import add_scored_head
from finetune.model import add_adapter, layout_of, open_base
from finetune.template import Encoded, Layout

LADDER: list[tuple[str, dict[str, Any]]] = [
    ("plain PEFT + transformers", {"attention": "sdpa", "fused": False, "head": False}),
    ("+ scored head, gradient in the forward pass", {"attention": "sdpa", "fused": False, "head": True}),
    ("+ eager attention (one key-value head)", {"attention": "eager", "fused": False, "head": True}),
    ("+ LoRA in one step", {"attention": "eager", "fused": True, "head": True}),
]


def rows(limit: int) -> tuple[Layout, list[Encoded]]:
    """The first training dialogues."""
    base = open_base(ModelConfig())
    layout = layout_of(Config(), base)
    return layout, read_split(Path("data/counseling/train.jsonl"), layout, max_tokens=2048, limit=limit).encoded


def train(
    encoded: list[Encoded], dtype: str, *, attention: str, fused: bool, head: bool, lr: float = 2e-4
) -> Iterator[tuple[float, int, float]]:
    """(loss, tokens, seconds) of each update, one row an update."""
    base = open_base(ModelConfig(dtype=dtype, attention=attention))  # type: ignore[arg-type]
    add_scored_head(base.model)
    # a dropout too small to drop anything keeps PEFT's own layers
    model = add_adapter(base.model, AdapterConfig(dropout=0.0 if fused else 1e-12)).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, fused=True)
    for row in encoded:
        ids, labels = torch.tensor([row.input_ids]), torch.tensor([row.labels])
        start = time.perf_counter()
        loss = (
            model(input_ids=ids, labels=labels, scored_head=True).losses.mean()
            if head
            else model(input_ids=ids, labels=labels).loss
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item(), len(row.input_ids), time.perf_counter() - start


def measure(encoded: list[Encoded], dtype: str, **options: Any) -> dict[str, float]:
    """Tokens per second after the first two updates, and the mean loss over all."""
    steps = list(train(encoded, dtype, **options))
    timed = steps[2:]
    return {
        "tokens_per_second": round(sum(tokens for _, tokens, _ in timed) / sum(seconds for _, _, seconds in timed), 1),
        "loss": round(sum(loss for loss, _, _ in steps) / len(steps), 5),
    }


def main() -> None:
    """Print the ladder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=24, help="updates of each row of the ladder")
    parser.add_argument("--float32-rows", type=int, default=6, help="updates of the comparison in float32")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    _, encoded = rows(options.rows)
    found = [(name, measure(encoded, "bfloat16", **parts)) for name, parts in LADDER]
    ends = {name: measure(encoded[: options.float32_rows], "float32", **parts) for name, parts in (LADDER[0], LADDER[-1])}
    if options.json:
        print(json.dumps({"bfloat16": dict(found), "float32": ends}, ensure_ascii=False, indent=1))
        return
    plain = found[0][1]["tokens_per_second"]
    table = Table("bfloat16", "tokens/s", "× plain", "mean loss")
    for name, figures in found:
        table.add_row(
            name, f"{figures['tokens_per_second']:.0f}", f"{figures['tokens_per_second'] / plain:.2f}", f"{figures['loss']:.5f}"
        )
    for name, figures in ends.items():
        table.add_row(f"{name}, float32", f"{figures['tokens_per_second']:.0f}", "", f"{figures['loss']:.5f}")
    Console().print(table)


if __name__ == "__main__":
    main()
