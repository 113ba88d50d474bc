from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from backend.errors import JindamError
from backend.models.adapter_manifest import read_manifest
from backend.settings import Settings
from finetune.config import Config, config_of
from finetune.model import open_base
from finetune.train import METRICS, _damage, planned_steps, read_splits, steps_per_epoch, train
from finetune.trainer import CounselTrainer


def changed(config: Config, **sections: dict[str, Any]) -> Config:
    tree = config.model_dump(mode="json")
    for section, values in sections.items():
        tree[section] |= values
    return config_of(tree)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def lines(config: Config) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (config.train.output / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def cut_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A kill after so many updates, at the worst moment: between checkpoints."""

    def cut(step: int) -> None:
        real = CounselTrainer.training_step

        def dies(self: CounselTrainer, *args: Any, **kwargs: Any) -> Any:
            if self.state.global_step >= step:
                raise SystemError("killed")
            return real(self, *args, **kwargs)

        monkeypatch.setattr(CounselTrainer, "training_step", dies)

    return cut


def test_it_learns_and_leaves_what_it_promises(tiny_config: Config) -> None:
    run = train(tiny_config)
    assert run.steps == run.planned == planned_steps(12, tiny_config) == 12
    assert run.best_loss is not None
    assert run.base_loss is not None
    assert run.best_loss < run.base_loss - 0.05
    assert (run.output / "loss.svg").is_file()
    assert run.peak_memory_gb > 0.1
    written = lines(tiny_config)
    assert [line["step"] for line in written if "eval_loss" in line] == [0, 3, 6, 9, 12]
    assert all("tokens_per_second" in line for line in written if "loss" in line)
    manifest = read_manifest(run.adapter)
    assert manifest is not None
    assert manifest.rows == 12
    assert manifest.result["best_loss"] == run.best_loss
    assert str(tiny_config.train.output) not in (run.adapter / "adapter_config.json").read_text()


@pytest.fixture
def forgetful(tiny_config: Config, tmp_path: Path) -> Config:
    """What is learnt makes the held-out rows, in another language, ever less likely."""
    held_out = tmp_path / "english.jsonl"
    row = [
        {"role": "user", "content": "수학이 어려워요."},
        {"role": "assistant", "content": "Zebras quickly jump over lazy brown foxes."},
    ]
    held_out.write_text(json.dumps({"messages": row}) + "\n", encoding="utf-8")
    return changed(tiny_config, data={"validation": str(held_out)}, train={"lr": 0.2, "schedule": "constant"})


def test_the_best_checkpoint_is_kept_not_the_last(forgetful: Config) -> None:
    run = train(changed(forgetful, train={"stop_on": "never"}))
    losses = {line["step"]: line["eval_loss"] for line in lines(forgetful) if "eval_loss" in line and line["step"]}
    best = min(losses, key=lambda step: losses[step])
    assert best < run.steps == 12
    assert run.best_loss == losses[best]
    kept = weights(forgetful.train.output / f"checkpoint-{best}")
    assert all(torch.equal(a, kept[name]) for name, a in weights(run.adapter).items())


def test_it_stops_when_held_out_losses_no_longer_fall(forgetful: Config) -> None:
    run = train(changed(forgetful, train={"patience": 2, "epochs": 8}))
    assert run.steps < run.planned


def test_resumed_equals_uninterrupted_bit_for_bit(
    tiny_config: Config, tmp_path: Path, cut_after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(tiny_config, lora={"dropout": 0.1})  # so that the random state matters
    whole = train(config)
    other = changed(config, train={"output": str(tmp_path / "other")})
    with pytest.MonkeyPatch.context():
        cut_after(8)
        with pytest.raises(SystemError):
            train(other)
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    resumed = train(other)
    assert resumed.steps == whole.steps
    assert weights(resumed.adapter).keys() == weights(whole.adapter).keys()
    assert all(torch.equal(a, weights(whole.adapter)[name]) for name, a in weights(resumed.adapter).items())
    losses = [[line.get("loss", line.get("eval_loss")) for line in lines(c)] for c in (config, other)]
    assert losses[0] == losses[1]


def test_damaged_checkpoints_are_passed_over_and_without_a_whole_one_refused(tiny_config: Config, tmp_path: Path) -> None:
    config = changed(tiny_config, train={"max_steps": 6, "keep": 3})
    train(config)
    newest, older = config.train.output / "checkpoint-6", config.train.output / "checkpoint-3"
    assert _damage(newest) is None
    for name in ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json"):
        copy = shutil.copytree(newest, tmp_path / name)
        file = copy / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        assert _damage(copy) == f"{name} 잘림"
    (newest / "optimizer.pt").write_bytes(b"half")
    assert train(config).steps == 6
    steps = [line["step"] for line in lines(config) if "loss" in line]
    assert steps == sorted(set(steps))
    for folder in (newest, older):
        (folder / "optimizer.pt").unlink()
    with pytest.raises(JindamError, match="온전하지 않습니다"):
        train(config)


def test_another_run_s_folder_is_refused(tiny_config: Config) -> None:
    train(changed(tiny_config, train={"max_steps": 3}))
    with pytest.raises(JindamError, match="다른 학습") as caught:
        train(changed(tiny_config, train={"max_steps": 3, "lr": 0.01}))
    assert "config.train.lr" in caught.value.why


def test_held_out_rows_must_not_be_training_rows(tiny_config: Config, rows: tuple[Path, Path]) -> None:
    with pytest.raises(JindamError, match="학습 대화에도"):
        train(changed(tiny_config, data={"validation": str(rows[0])}))


def test_a_full_disk_is_told_before_it_begins(tiny_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(JindamError, match="공간이 모자랍니다"):
        train(tiny_config)


def test_a_disk_that_fills_up_on_the_way_loses_nothing(tiny_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    config = changed(tiny_config, train={"max_steps": 6})
    usage, real = shutil.disk_usage(Path.cwd()), CounselTrainer._save_checkpoint

    def full(self: CounselTrainer, *args: Any, **kwargs: Any) -> None:
        if self.state.global_step > 3:
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
            raise OSError(28, "No space left on device")
        real(self, *args, **kwargs)

    monkeypatch.setattr(CounselTrainer, "_save_checkpoint", full)
    with pytest.raises(JindamError, match="가득") as caught:
        train(config)
    assert "이어집니다" in caught.value.fix
    monkeypatch.setattr(CounselTrainer, "_save_checkpoint", real)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert train(config).steps == 6


def test_held_out_loss_weighs_every_token_alike(tiny_config: Config, tiny: Path) -> None:
    """Against a brute-force sum; rows of different lengths tell it from transformers' mean of means."""
    from finetune.model import layout_of

    run = train(changed(tiny_config, train={"max_steps": 1}))
    base = open_base(tiny_config.model)
    layout = layout_of(tiny_config, base)
    _, validation = read_splits(tiny_config, layout)
    assert validation is not None
    nats, tokens = 0.0, 0
    for row in validation.encoded:
        logits = base.model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1].log_softmax(-1)
        for place, label in enumerate(row.labels[1:]):
            if label not in (-100, layout.stop_id):
                nats, tokens = nats - logits[place, label].item(), tokens + 1
    assert run.base_loss == pytest.approx(nats / tokens, abs=1e-5)
    bpb = next(line["eval_bpb"] for line in lines(tiny_config) if "eval_bpb" in line)
    assert bpb == pytest.approx(nats / 0.6931471805599453 / validation.reply_bytes, abs=1e-5)


def test_accumulated_rows_weigh_their_tokens(tiny_config: Config) -> None:
    """One update of two rows is the same whether they come one by one or together."""
    apart = changed(tiny_config, train={"max_steps": 1, "batch_size": 1, "accumulation": 2, "warmup": 0.0})
    together = changed(apart, train={"batch_size": 2, "accumulation": 1, "output": str(tiny_config.train.output) + "-2"})
    first, second = train(apart), train(together)
    for name, a in weights(first.adapter).items():
        torch.testing.assert_close(a, weights(second.adapter)[name], rtol=1e-3, atol=2e-4)
    assert lines(apart)[1]["loss"] == pytest.approx(lines(together)[1]["loss"], abs=1e-5)


def test_packed_rows_are_blind_to_each_other(tiny_config: Config) -> None:
    config = changed(tiny_config, train={"packing": True, "max_steps": 1, "accumulation": 1}, data={"max_tokens": 2048})
    packed = train(config)
    alone = train(changed(config, train={"packing": False, "accumulation": 12, "output": str(config.train.output) + "-2"}))
    first = [
        next(line["loss"] for line in lines(c) if "loss" in line)
        for c in (config, changed(config, train={"output": str(alone.output)}))
    ]
    assert first[0] == pytest.approx(first[1], abs=1e-4)
    assert packed.steps == 1


def test_the_seed_s_way_runs_and_its_optimizer_falls_back(tiny_config: Config) -> None:
    config = changed(
        tiny_config,
        data={"layout": "seed", "scored": "everything", "pad_to": 256, "stop": "<end_of_turn>"},
        lora={"dropout": 0.05},
        train={"head": "full", "optimizer": "paged_adamw_32bit", "checkpointing": True, "stop_on": "train_loss", "max_steps": 3},
    )
    run = train(config)
    assert run.steps == 3
    assert [line["loss"] for line in lines(config) if "loss" in line]


def test_early_stopping_on_the_training_loss_is_the_seed_s(tiny_config: Config) -> None:
    run = train(changed(tiny_config, train={"stop_on": "train_loss", "patience": 2, "min_delta": 50.0}))
    assert run.steps == 3  # the first loss counts as better than none; two that are not 50 nats lower end it


def test_steps_are_counted_as_transformers_counts(tiny_config: Config) -> None:
    for batch, accumulation, epochs in ((1, 5, 1), (5, 2, 2)):
        config = changed(
            tiny_config,
            data={"validation": None},
            train={"batch_size": batch, "accumulation": accumulation, "epochs": epochs, "stop_on": "never"},
        )
        run = train(config, resume=False)
        assert run.planned == run.steps == planned_steps(12, config)
        assert run.best_loss is None


def test_the_seed_makes_6310_updates() -> None:
    from finetune.config import load_config

    seed = load_config("seed-recipe")
    assert steps_per_epoch(5046, seed) == 631
    assert planned_steps(5046, seed) == 6310


def test_ctrl_c_saves_and_the_same_command_goes_on(tiny_config: Config, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    tree = changed(tiny_config, train={"epochs": 200, "stop_on": "never", "evaluations_per_epoch": 0.01}).model_dump(mode="json")
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    environment = os.environ | {"JINDAM_HOME": str(settings.home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "finetune", "train", str(file)],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    metrics = tiny_config.train.output / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and '"step": 3' in metrics.read_text()):
        pass
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert "이어집니다" in printed
    assert not (tiny_config.train.output / "adapter").exists()
    (checkpoint,) = tiny_config.train.output.glob("checkpoint-*")
    assert _damage(checkpoint) is None


def test_the_last_update_is_judged_and_can_be_chosen(tiny_config: Config) -> None:
    """Three evaluations in seven updates would leave the seventh unseen."""
    config = tiny_config.model_copy(
        update={"train": tiny_config.train.model_copy(update={"max_steps": 7, "evaluations_per_epoch": 2})}
    )
    run = train(config)
    lines = [json.loads(line) for line in (run.output / METRICS).read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if "eval_loss" in line] == [0, 3, 6, 7]
    assert (run.output / "checkpoint-7").is_dir()
