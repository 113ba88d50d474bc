"""A tiny random Gemma 3 where training costs force it; the real embedded weights where a user would use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.models.gemma import COUNSEL_SYSTEM
from backend.settings import Settings, get_settings
from finetune.config import Config, ModelConfig, config_of
from finetune.model import Base, embedded_tokenizer, open_base
from finetune.template import Layout


@pytest.fixture(scope="session")
def at_home(settings: Settings) -> Iterator[None]:
    """Session-wide parts are built in the session's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JINDAM_HOME", str(settings.home))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _same_home(monkeypatch: pytest.MonkeyPatch, settings: Settings, _no_settings_from_outside: None) -> None:
    """Each test too."""
    monkeypatch.setenv("JINDAM_HOME", str(settings.home))
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def tokenizer(at_home: None) -> Any:
    return embedded_tokenizer()


@pytest.fixture(scope="session")
def layout(tokenizer: Any) -> Layout:
    return Layout(tokenizer)


@pytest.fixture(scope="session")
def embedded(at_home: None) -> Base:
    """The real 270M; tests must leave it as it is."""
    return open_base(ModelConfig())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A folder with a random Gemma 3 of two layers and the real tokenizer."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    shape = Gemma3TextConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        vocab_size=262_144,
        layer_types=["sliding_attention", "full_attention"],
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("tiny")
    Gemma3ForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def dialogue(number: int, turns: int = 1) -> dict[str, Any]:
    messages = [{"role": "system", "content": COUNSEL_SYSTEM}]
    for turn in range(turns):
        messages += [
            {"role": "user", "content": f"{number}번째 고민 {turn}: 수학이 어려워요."},
            {"role": "assistant", "content": f"{number}번 답 {turn}. 오늘은 한 문제만 다시 풀어 볼까요?"},
        ]
    return {"messages": messages}


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Twelve training dialogues, some of two exchanges, and four held-out ones."""
    folder = tmp_path_factory.mktemp("rows")
    files = folder / "train.jsonl", folder / "validation.jsonl"
    for file, numbers in zip(files, (range(12), range(100, 104)), strict=True):
        file.write_text("".join(json.dumps(dialogue(n, 1 + n % 2), ensure_ascii=False) + "\n" for n in numbers), encoding="utf-8")
    return files


@pytest.fixture
def tiny_config(tiny: Path, rows: tuple[Path, Path], tmp_path: Path) -> Config:
    return config_of(
        {
            "model": {"base": str(tiny), "dtype": "float32"},
            "data": {"train": str(rows[0]), "validation": str(rows[1]), "stop": "<eos>"},
            "lora": {"rank": 4, "alpha": 8},
            "train": {
                "output": str(tmp_path / "run"),
                "epochs": 2,
                "accumulation": 2,
                "lr": 0.02,
                "evaluations_per_epoch": 2,
                "logging_steps": 1,
            },
        }
    )
