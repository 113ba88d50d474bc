"""The picture of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plot_losses(lines: Sequence[Mapping[str, Any]], file: Path) -> bool:
    """Draw the training and held-out losses of ``metrics.jsonl`` as SVG; False if matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "jindam", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for key, label, style in (
        ("loss", "training", {"alpha": 0.6, "linewidth": 1}),
        ("eval_loss", "held out", {"marker": "o", "linewidth": 2}),
    ):
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)  # type: ignore[arg-type]
    held_out = [(line["eval_loss"], line["step"]) for line in lines if "eval_loss" in line]
    if held_out:
        loss, step = min(held_out)
        axes.annotate(f"{loss:.3f}", (step, loss), textcoords="offset points", xytext=(0, -14), ha="center")
    axes.set_xlabel("updates")
    axes.set_ylabel("nats per token")
    axes.grid(alpha=0.25)
    axes.legend()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return True
