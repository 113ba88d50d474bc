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


class Run:
    """One row of the ladder: a model with a fresh adapter and its optimizer."""

    def __init__(self, dtype: str, *, attention: str, fused: bool, head: bool) -> None:
        base = open_base(ModelConfig(dtype=dtype, attention=attention))  # type: ignore[arg-type]
        add_scored_head(base.model)
        # a dropout too small to drop anything keeps PEFT's own layers
        self._model = add_adapter(base.model, AdapterConfig(dropout=0.0 if fused else 1e-12)).train()
        self._optimizer = torch.optim.AdamW([p for p in self._model.parameters() if p.requires_grad], lr=2e-4, fused=True)
        self._head = head
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def update(self, row: Encoded) -> None:
        """Learn one dialogue."""
        ids, labels = torch.tensor([row.input_ids]), torch.tensor([row.labels])
        start = time.perf_counter()
        if self._head:
            loss = self._model(input_ids=ids, labels=labels, scored_head=True).losses.mean()
        else:
            loss = self._model(input_ids=ids, labels=labels).loss
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.losses.append(loss.item())
        self.seconds.append(time.perf_counter() - start)


def measure(encoded: list[Encoded], dtype: str, ladder: list[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Tokens per second after the first two updates, and the mean loss over all.

    The rows of the ladder take turns at each dialogue, so that a machine that slows down slows all of them.
    """
    runs = {name: Run(dtype, **parts) for name, parts in ladder}
    for row in encoded:
        for run in runs.values():
            run.update(row)
    tokens = sum(len(row.input_ids) for row in encoded[2:])
    return {
        name: {
            "tokens_per_second": round(tokens / sum(run.seconds[2:]), 1),
            "loss": round(sum(run.losses) / len(run.losses), 5),
        }
        for name, run in runs.items()
    }


def main() -> None:
    """Print the ladder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=24, help="updates of each row of the ladder")
    parser.add_argument("--float32-rows", type=int, default=6, help="updates of the comparison in float32")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    _, encoded = rows(options.rows)
    found = measure(encoded, "bfloat16", LADDER)
    ends = measure(encoded[: options.float32_rows], "float32", [LADDER[0], LADDER[-1]])
    if options.json:
        print(json.dumps({"bfloat16": found, "float32": ends}, ensure_ascii=False, indent=1))
        return
    plain = found[LADDER[0][0]]["tokens_per_second"]
    table = Table("bfloat16", "tokens/s", "× plain", "mean loss")
    for name, figures in found.items():
        table.add_row(
            name, f"{figures['tokens_per_second']:.0f}", f"{figures['tokens_per_second'] / plain:.2f}", f"{figures['loss']:.5f}"
        )
    for name, figures in ends.items():
        table.add_row(f"{name}, float32", f"{figures['tokens_per_second']:.0f}", "", f"{figures['loss']:.5f}")
    Console().print(table)


if __name__ == "__main__":
    main()
