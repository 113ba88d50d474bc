from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import JindamError
from finetune.config import CONFIGS, load_config


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_shipped_configuration_loads(name: str) -> None:
    assert load_config(name) == load_config(CONFIGS / f"{name}.yaml")


def test_the_seed_recipe_is_the_seed_s() -> None:
    seed = load_config("seed-recipe")
    assert (seed.model.base, seed.model.quantize, seed.model.double_quantize) == ("google/gemma-3-1b-it", "nf4", False)
    assert (seed.lora.rank, seed.lora.alpha, seed.lora.dropout, len(seed.lora.targets)) == (32, 32, 0.05, 7)
    train = seed.train
    assert (train.epochs, train.batch_size, train.accumulation, train.lr, train.optimizer) == (
        10,
        2,
        4,
        2e-4,
        "paged_adamw_32bit",
    )
    assert (seed.data.pad_to, seed.data.layout, seed.data.scored) == (2048, "seed", "everything")
    assert (train.stop_on, train.patience, train.min_delta) == ("train_loss", 10, 0.001)


def test_overrides_change_single_values() -> None:
    config = load_config("smoke", ["train.lr=5e-4", "lora.targets=[q_proj, v_proj]", "data.validation=null"])
    assert config.train.lr == 5e-4
    assert config.lora.targets == ("q_proj", "v_proj")
    assert config.data.validation is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.learning_rate=1", "train.logging_steps|이름을 고치거나"),
        ("train.epoch=1", "train.epochs"),
        ("trian.lr=1", "train"),
        ("train.lr=fast", "쓸 수 없습니다"),
        ("train.lr=-1", "쓸 수 없습니다"),
        ("lora.rank=0", "쓸 수 없습니다"),
        ("train.lr", "꼴이 아닙니다"),
        ("lr=1", "꼴이 아닙니다"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_suggestion(override: str, said: str) -> None:
    with pytest.raises(JindamError) as caught:
        load_config("smoke", [override])
    assert any(part in str(caught.value) for part in said.split("|"))


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="smoke"):
        load_config("smoek")
    for number, text in enumerate(["a: [", "- 1\n- 2", "train: 3"]):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(JindamError):
            load_config(file)
