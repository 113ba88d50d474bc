"""What does each knob do? One run for each value of one setting at a time, beside repeats of the unchanged configuration.

Repeats differ by their seed alone (row order, the adapter's first weights), so their spread says which differences mean something.
Each run is a process of its own: peak memory is then that run's, and a crash costs one trial.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import JindamError
from finetune.config import load_config

RESULTS = "trials.jsonl"
TABLE = "sweep.md"
PICTURE = "sweep.svg"

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """One run: the configuration with one setting changed, or none."""

    setting: str | None
    value: str | None
    seed: int

    @property
    def name(self) -> str:
        """A folder's name, and what a finished trial is known by."""
        changed = f"{self.setting}={self.value}" if self.setting else "unchanged"
        return f"{changed}-seed{self.seed}".replace("/", "_")

    @property
    def overrides(self) -> list[str]:
        """For ``--set``."""
        return ([f"{self.setting}={self.value}"] if self.setting else []) + [f"train.seed={self.seed}"]


def trials_of(vary: Sequence[str], repeats: int) -> list[Trial]:
    """The unchanged configuration ``repeats`` times, then each value of each ``section.name=value,value``.

    Raises:
        JindamError: one of them is not of that form.

    """
    trials = [Trial(None, None, seed) for seed in range(repeats)]
    for item in vary:
        setting, sign, values = item.partition("=")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if not sign or setting.count(".") != 1 or not listed:
            raise JindamError(
                f"--vary {item}을(를) 읽을 수 없습니다.",
                why="'구역.이름=값,값' 꼴이 아닙니다.",
                fix="예: --vary train.lr=5e-4,2e-3 --vary lora.rank=8,64",
            )
        trials += [Trial(setting.strip(), value, 0) for value in listed]
    return trials


def sweep(
    config: str, overrides: Sequence[str], vary: Sequence[str], out: Path, *, repeats: int, announce: Announce
) -> list[dict[str, Any]]:
    """Run what is not in ``out`` yet; returns all results, in the order of the trials.

    Raises:
        JindamError: a value cannot be used (found before the first run), another sweep lies in ``out``, or a run failed.
        KeyboardInterrupt: a run was stopped; the same call goes on with it.

    """
    trials = trials_of(vary, repeats)
    for trial in trials:
        load_config(config, [*overrides, *trial.overrides])
    out.mkdir(parents=True, exist_ok=True)
    _same_sweep(out / "sweep.json", {"config": config, "overrides": list(overrides)})
    done = _finished(out / RESULTS)
    for number, trial in enumerate(trials, 1):
        if trial.name in done:
            continue
        announce(f"{number}/{len(trials)} {trial.name}")
        done[trial.name] = _run(config, overrides, trial, out)
        with (out / RESULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[trial.name], ensure_ascii=False) + "\n")
    results = [done[trial.name] for trial in trials]
    (out / TABLE).write_text(table(results), encoding="utf-8")
    return results


def _run(config: str, overrides: Sequence[str], trial: Trial, out: Path) -> dict[str, Any]:
    folder = out / trial.name
    sets = [*overrides, *trial.overrides, f"train.output={folder}"]
    command = [sys.executable, "-m", "finetune", "train", config, "--json", *(part for item in sets for part in ("--set", item))]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode == 130:
        raise KeyboardInterrupt
    if process.returncode:
        raise JindamError(
            f"학습 하나가 실패했습니다: {trial.name}",
            why=f"python -m finetune train 이 {process.returncode}(으)로 끝났습니다. 까닭은 위에 적혀 있습니다.",
            fix="고친 뒤 같은 명령을 다시 실행하면 끝난 것은 건너뜁니다.",
        )
    run = json.loads(process.stdout)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    kept = ("steps", "trainable", "base_loss", "best_loss", "seconds", "tokens", "peak_memory_gb")
    return {"trial": trial.name, "setting": trial.setting, "value": trial.value, "seed": trial.seed} | {k: run[k] for k in kept}


def _same_sweep(file: Path, identity: dict[str, Any]) -> None:
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != identity:
        raise JindamError(
            f"{file.parent}에는 다른 설정으로 한 실험이 들어 있습니다.",
            why="CONFIG나 --set이 다릅니다.",
            fix="--out을 다른 폴더로 해 주세요.",
        )
    file.write_text(json.dumps(identity, ensure_ascii=False), encoding="utf-8")


def _finished(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {line["trial"]: line for line in lines}


def spread(results: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Mean and sample standard deviation of the unchanged runs' held-out loss (0 when there is one)."""
    losses = [result["best_loss"] for result in results if result["setting"] is None]
    return statistics.fmean(losses), statistics.stdev(losses) if len(losses) > 1 else 0.0


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: what each value did to the held-out loss, in units of the repeats' spread."""
    mean, deviation = spread(results)
    lines = [
        f"Unchanged: {mean:.4f} ± {deviation:.4f} nats per token (mean and standard deviation over seeds); "
        f"before training {results[0]['base_loss']:.4f}.",
        "",
        "| setting | value | held-out loss | against unchanged | seconds (evaluations included) | peak GB | trainable |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        difference = result["best_loss"] - mean
        against = f"{difference:+.4f}" + (f" ({difference / deviation:+.1f} σ)" if deviation else "")
        lines.append(
            f"| {result['setting'] or 'unchanged'} | {result['value'] or 'seed ' + str(result['seed'])} | {result['best_loss']:.4f} | "
            f"{against} | {result['seconds']:.0f} | "
            f"{result['peak_memory_gb']:.2f} | {result['trainable']:,} |"
        )
    return "\n".join(lines) + "\n"
