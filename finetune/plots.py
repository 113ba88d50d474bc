"""The pictures of a run, of a sweep and of a bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plot_losses(lines: Sequence[Mapping[str, Any]], file: Path) -> bool:
    """Draw the training and held-out losses of ``metrics.jsonl`` as SVG; False if matplotlib is not installed."""
    plt = _pyplot()
    if plt is None:
        return False
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
    _save(plt, figure, file)
    return True


def plot_sweep(results: Sequence[Mapping[str, Any]], file: Path) -> bool:
    """Draw each trial's held-out loss, one row a trial, beside the unchanged runs' mean and their extremes; False without matplotlib."""
    plt = _pyplot()
    if plt is None:
        return False
    unchanged = [result["best_loss"] for result in results if result["setting"] is None]
    rows = [(f"{result['setting']} = {result['value']}", result["best_loss"]) for result in results if result["setting"]]
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.28 * len(rows)), layout="constrained")
    axes.axvspan(min(unchanged), max(unchanged), alpha=0.2, label=f"unchanged, {len(unchanged)} seeds")
    axes.axvline(sum(unchanged) / len(unchanged), linewidth=1)
    axes.plot([loss for _, loss in rows], range(len(rows)), "o")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel("held-out nats per token")
    axes.grid(alpha=0.25, axis="x")
    axes.legend()
    _save(plt, figure, file)
    return True


def plot_bench(found: Mapping[str, Any], file: Path) -> bool:
    """Draw both recipes' held-out loss over the operations spent; False without matplotlib."""
    plt = _pyplot()
    if plt is None:
        return False
    result = found["result"]
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for side, curve, label in (("seed", "seed curve", "seed recipe"), ("ours", "our curve", "ours")):
        if result[side]:
            per_update = result[side]["gflop"] / result[side]["updates"] / 1e6
            points = [(point["step"] * per_update, point["eval_loss"]) for point in found[curve] if point["step"]]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
    axes.axhline(result["target"], linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlabel("PFLOP (10¹⁵ floating-point operations)")
    axes.set_ylabel("held-out nats per token")
    axes.grid(alpha=0.25)
    axes.legend()
    _save(plt, figure, file)
    return True


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "jindam", "font.size": 9})
    import matplotlib.pyplot as plt

    return plt


def _save(plt: Any, figure: Any, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
