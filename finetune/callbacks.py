"""What happens beside the training: the record, the bar, stopping early, Ctrl-C."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_SAVE_EVERY_S = 600.0
"""Seconds of work that a killed run may lose."""


class Record(TrainerCallback):
    """One JSON line for each log and each evaluation, in ``metrics.jsonl``, with tokens and tokens per second."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.trainer: Any = None
        self._since = (0, 0.0)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """A resumed run forgets what came after its checkpoint."""
        if self.file.is_file():
            lines = [line for line in self.file.read_text(encoding="utf-8").splitlines() if line.strip()]
            kept = [line for line in lines if state.global_step and json.loads(line)["step"] <= state.global_step]
            self.file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            self.trainer.tokens = max((json.loads(line).get("tokens", 0) for line in kept), default=0)
        self._since = (self.trainer.tokens, time.monotonic())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the line."""
        if not logs or not state.is_world_process_zero or "train_runtime" in logs:
            return
        line: dict[str, Any] = {"step": state.global_step, "epoch": round(state.epoch or 0.0, 4)}
        if "eval_loss" in logs:
            line |= {key: logs[key] for key in ("eval_loss", "eval_bpb") if key in logs}
            self._since = (self.trainer.tokens, time.monotonic())  # what evaluating took is not training
        else:
            tokens, began = self._since
            seconds = time.monotonic() - began
            line |= {key: logs[key] for key in ("loss", "learning_rate", "grad_norm") if key in logs}
            line["tokens"] = self.trainer.tokens
            if self.trainer.tokens > tokens and seconds > 0:
                line["tokens_per_second"] = round((self.trainer.tokens - tokens) / seconds, 1)
            self._since = (self.trainer.tokens, time.monotonic())
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


class Bar(TrainerCallback):
    """A progress bar with the losses, tokens per second and the time left."""

    def __init__(self, console: Console) -> None:
        self.trainer: Any = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=600,
        )
        self._task = self._bar.add_task("학습", total=1, said="")
        self._said: dict[str, str] = {}
        self._began = (0, 0.0)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Show it."""
        self._bar.update(self._task, total=state.max_steps, completed=state.global_step)
        self._began = (self.trainer.tokens, time.monotonic())
        self._bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """One update further."""
        tokens, began = self._began
        self._said["속도"] = f"{(self.trainer.tokens - tokens) / max(time.monotonic() - began, 1e-9):.0f} 토큰/초"
        self._bar.update(self._task, completed=state.global_step, said=" · ".join(self._said.values()))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """The newest losses."""
        logs = logs or {}
        if "loss" in logs:
            self._said["학습"] = f"학습 {logs['loss']:.3f}"
        if "eval_loss" in logs:
            self._said["검증"] = f"검증 {logs['eval_loss']:.4f}"
            self._bar.console.print(f"  {state.global_step}번째 갱신: 검증 손실 {logs['eval_loss']:.4f}")
        self._bar.update(self._task, said=" · ".join(self._said.values()))

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


class SaveNowAndThen(TrainerCallback):
    """A checkpoint at least every ten minutes, so that a kill costs little."""

    def __init__(self) -> None:
        self._saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for one when it is time."""
        if time.monotonic() - self._saved > _SAVE_EVERY_S:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Any checkpoint counts."""
        self._saved = time.monotonic()


class EvaluateAtTheEnd(TrainerCallback):
    """The last update is judged too: transformers evaluates every n updates only, and would never choose what came after the last n."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a held-out loss after the last update."""
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True


class CustomEarlyStopping(TrainerCallback):
    """The seed's early stopping: it watches the training loss, so it stops where a model has learnt its rows by heart, if ever."""

    def __init__(self, patience: int = 10, min_delta: float = 0.001) -> None:
        self.patience, self.min_delta = patience, min_delta
        self._best, self._waited = float("inf"), 0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Count the log lines without a better loss."""
        if not logs or "loss" not in logs:
            return
        if logs["loss"] < self._best - self.min_delta:
            self._best, self._waited = logs["loss"], 0
        else:
            self._waited += 1
            control.should_training_stop |= self._waited >= self.patience


class StopOnCtrlC(TrainerCallback):
    """The first Ctrl-C ends the update that is being made, saves, and stops; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop, if asked."""
        if self.asked:
            control.should_save = control.should_training_stop = True

    @contextmanager
    def listening(self, console: Console) -> Iterator[None]:
        """Catch Ctrl-C while the body runs."""

        def ask(number: int, frame: Any) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True
            console.print("[yellow]지금 하는 갱신까지 마치고 저장한 뒤 멈춥니다. 바로 멈추려면 Ctrl-C를 한 번 더 눌러 주세요.[/]")

        try:
            before = signal.signal(signal.SIGINT, ask)
        except ValueError:  # not in the main thread: whoever runs us handles it
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
