"""The adapter in the box is what its papers say, and the embedded model can wear it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.models.adapter_manifest import Manifest, read_manifest, sha256_of_text
from backend.models.gemma import EMBEDDED_ADAPTER
from backend.models.weights import SHA256
from finetune.model import embedded_tokenizer
from finetune.template import Layout

FOLDER = EMBEDDED_ADAPTER.parent


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    found = read_manifest(FOLDER)
    assert found is not None
    return found


def test_it_is_small_and_complete() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {
        "adapter-f16.gguf", "adapter_config.json", "adapter_model.safetensors", "manifest.json", "NOTICE", "README.md",
    }  # fmt: skip
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 16_000_000
    assert "Gemma" in (FOLDER / "NOTICE").read_text(encoding="utf-8")


def test_it_belongs_to_the_embedded_weights_template_and_tokenizer(manifest: Manifest, at_home: None) -> None:
    tokenizer = embedded_tokenizer()
    assert manifest.base_sha256 == SHA256
    assert manifest.template_sha256 == Layout(tokenizer, stop=manifest.stop, kind=manifest.layout).sha256
    assert manifest.tokenizer_sha256 == sha256_of_text(json.dumps(sorted(tokenizer.get_vocab().items())))


def test_it_names_no_path_of_the_machine_it_was_made_on(manifest: Manifest) -> None:
    config: dict[str, Any] = json.loads((FOLDER / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == manifest.hub_name
    assert not [value for value in _values(manifest.model_dump()) if isinstance(value, str) and Path(value).is_absolute()]


def test_both_forms_hold_the_same_numbers() -> None:
    import gguf
    import numpy as np
    from safetensors import safe_open

    reader = gguf.GGUFReader(EMBEDDED_ADAPTER)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    with safe_open(FOLDER / "adapter_model.safetensors", framework="pt") as file:
        keys = list(file.keys())
        key = next(key for key in keys if "layers.3.mlp.down_proj.lora_A" in key)
        ours = file.get_tensor(key).float().numpy()
    theirs = tensors["blk.3.ffn_down.weight.lora_a"].data.reshape(ours.shape)
    assert len(keys) == len(tensors)
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(ours).max()


def _values(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [value for branch in tree.values() for value in _values(branch)]
    return [value for branch in tree for value in _values(branch)] if isinstance(tree, (list, tuple)) else [tree]
