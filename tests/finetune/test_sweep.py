from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from backend.errors import JindamError
from finetune.config import Config
from finetune.plots import plot_sweep
from finetune.sweep import RESULTS, spread, sweep, table, trials_of

RESULT = {"base_loss": 4.0, "seconds": 10.0, "tokens": 2000, "peak_memory_gb": 3.0, "trainable": 100}


def _silent(text: str) -> None:
    pass


def test_one_setting_changes_at_a_time() -> None:
    trials = trials_of(["train.lr=1e-3, 2e-3", "lora.rank=8"], repeats=2)
    assert [trial.name for trial in trials] == [
        "unchanged-seed0", "unchanged-seed1", "train.lr=1e-3-seed0", "train.lr=2e-3-seed0", "lora.rank=8-seed0",
    ]  # fmt: skip
    assert trials[-1].overrides == ["lora.rank=8", "train.seed=0"]


@pytest.mark.parametrize("wrong", ["lr=1", "train.lr", "train.lr=", "train.lr.x=1"])
def test_what_cannot_be_read_is_told(wrong: str) -> None:
    with pytest.raises(JindamError, match="--vary"):
        trials_of([wrong], 1)


def test_a_wrong_value_is_found_before_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match=r"train\.lr"):
        sweep("smoke", [], ["train.lr=fast"], tmp_path, repeats=1, announce=_silent)
    assert not list(tmp_path.iterdir())


def test_the_table_is_in_units_of_the_spread() -> None:
    results = [
        {"setting": None, "value": None, "seed": seed, "best_loss": loss} | RESULT for seed, loss in enumerate((3.0, 3.2))
    ] + [{"setting": "lora.rank", "value": "8", "seed": 0, "best_loss": 3.3} | RESULT]
    mean, deviation = spread(results)
    assert mean == pytest.approx(3.1)
    assert deviation == pytest.approx(0.02**0.5)
    assert "| lora.rank | 8 | 3.3000 | +0.2000 (+1.4 σ) | 10 | 3.00 | 100 |" in table(results)


def test_a_real_sweep_goes_on_where_it_stopped(tiny_config: Config, tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    tree = tiny_config.model_dump(mode="json", exclude_defaults=True)
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    out = tmp_path / "sweep"
    common = {"config": str(config), "overrides": ["train.max_steps=2"], "out": out, "repeats": 1}
    (first,) = sweep(**common, vary=[], announce=_silent)
    announced: list[str] = []
    results = sweep(**common, vary=["lora.rank=2"], announce=announced.append)
    assert announced == ["2/2 lora.rank=2-seed0"]
    assert results[0] == first
    assert results[1]["trainable"] == first["trainable"] / 2
    assert len((out / RESULTS).read_text(encoding="utf-8").splitlines()) == 2
    assert not list(out.rglob("checkpoint-*"))
    assert plot_sweep(results, out / "sweep.svg")
    assert "lora.rank = 2" in (out / "sweep.svg").read_text(encoding="utf-8")
    with pytest.raises(JindamError, match="다른 설정"):
        sweep(str(config), [], [], out, repeats=1, announce=_silent)
    assert json.loads((out / "sweep.json").read_text(encoding="utf-8"))["overrides"] == ["train.max_steps=2"]
