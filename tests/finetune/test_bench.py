from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.errors import JindamError
from finetune.bench import LADDER, RESULTS, _apart, _cost, _cost_of_an_update, bench, report, result
from finetune.config import Config, load_config
from finetune.plots import plot_bench


def _found() -> dict[str, Any]:
    costs = {name: {"gflop": 1000.0 - 100 * n, "seconds": 10.0 - n, "tokens_per_second": 50.0 + n, "peak_memory_gb": 10.0 - n}
             for n, (name, _, _) in enumerate(LADDER)}  # fmt: skip
    return costs | {
        "slice": {"rows": 16, "validation_rows": 8, "updates_measured": 2},
        "padding": {"padded": 3.0, "unpadded": 3.00001, "gradient_difference": 0.001},
        "plain TRL": {"gflop": 600.0, "seconds": 6.0, "tokens_per_second": 60.0, "peak_memory_gb": 8.0},
        "seed curve": [{"step": 0, "eval_loss": 4.0}, {"step": 10, "eval_loss": 3.0}, {"step": 20, "eval_loss": 3.2}],
        "our curve": [{"step": 0, "eval_loss": 4.0}, {"step": 5, "eval_loss": 2.9}],
    }


def test_the_cost_is_that_of_the_way_to_the_seeds_best_loss() -> None:
    figures = result(_found())
    assert figures["target"] == 3.0
    assert figures["seed"] == {"updates": 10, "gflop": 10_000, "seconds": 100}
    assert figures["ours"] == {"updates": 5, "gflop": 1500, "seconds": 15}
    assert figures["compute_ratio"] == 6.7
    assert figures["memory_ratio"] == 0.3


def test_a_loss_that_is_never_reached_is_told() -> None:
    found = _found() | {"our curve": [{"step": 5, "eval_loss": 3.5}]}
    found["result"] = result(found)
    assert found["result"]["ours"] is None
    assert "less compute" not in report(found)
    assert "| — | — | — |" in report(found)


def test_the_report_has_every_rung(tmp_path: Path) -> None:
    found = _found()
    found["result"] = result(found)
    text = report(found)
    assert all(f"| {name} |" in text for name, _, _ in LADDER)
    assert "**6.7× less compute" in text
    assert plot_bench(found, tmp_path / "bench.svg")


def test_figures_of_another_slice_are_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text('{"slice": {"rows": 16}}', encoding="utf-8")
    with pytest.raises(JindamError, match="다른 조건"):
        bench(tmp_path, rows=8, validation_rows=8, steps=1, epochs=1, our_epochs=1, announce=print)


def test_the_median_update_is_told() -> None:
    lines = [{"tokens": 100, "tokens_per_second": 10.0}, {"tokens": 200, "tokens_per_second": 50.0},
             {"tokens": 300, "tokens_per_second": 50.0}]  # fmt: skip
    assert _cost(2e9, lines, 1.0) == {"gflop": 2.0, "seconds": 2.0, "tokens_per_second": 21.4, "peak_memory_gb": 1.0}


def test_operations_are_counted_on_real_updates(tiny_config: Config, tmp_path: Path) -> None:
    """Padding and checkpointing cost what they should, on a tiny model: the count is real."""
    import yaml

    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(tiny_config.model_dump(mode="json", exclude_defaults=True)), encoding="utf-8")
    common = ["train.max_steps=2", "data.validation=null", "train.head=full"]
    plain = _apart(_cost_of_an_update, str(file), common)
    padded = _apart(_cost_of_an_update, str(file), [*common, "data.pad_to=256"])
    assert plain["gflop"] > 0
    assert padded["gflop"] > 1.5 * plain["gflop"]


@pytest.mark.parametrize(("config", "overrides"), [(config, overrides) for _, config, overrides in LADDER])
def test_every_rung_is_a_valid_configuration(config: str, overrides: list[str]) -> None:
    assert load_config(config, overrides).model.base == "embedded"
