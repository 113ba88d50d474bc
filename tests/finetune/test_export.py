from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch

from backend.errors import JindamError
from backend.models.adapter_manifest import read_manifest, require_servable
from backend.models.llamacpp_chat import LlamaCppServer
from backend.models.weights import SHA256, embedded_weights
from backend.settings import get_settings
from finetune.config import Config, config_of
from finetune.export import (
    LORA_FILE,
    export_adapter,
    export_box,
    export_gguf,
    export_lora,
    export_merged,
    merged,
    modelfile,
    push,
)
from finetune.gguf_files import _reader, read_gemma
from finetune.model import ModelConfig, layout_of, open_adapter, open_base
from finetune.parity import agreement
from finetune.template import Encoded
from finetune.train import train

POSITIONS = 60


@pytest.fixture(scope="module")
def adapter(at_home: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four real updates of the real 270M with a real learning rate."""
    output = tmp_path_factory.mktemp("export")
    config = config_of(
        {
            "data": {"validation": None, "limit": 16},
            "lora": {"rank": 8, "alpha": 16},
            "train": {
                "output": str(output),
                "max_steps": 4,
                "accumulation": 4,
                "lr": 2e-3,
                "schedule": "constant",
                "warmup": 0.0,
            },
        }
    )
    return train(config).adapter


@pytest.fixture(scope="module")
def encoded(adapter: Path) -> list[Encoded]:
    from finetune.data import read_split

    layout = layout_of(Config(), open_base(ModelConfig()))
    return read_split(Path("data/counseling/validation.jsonl"), layout, max_tokens=2048, limit=4).encoded


@pytest.fixture(scope="module")
def tuned(adapter: Path) -> Any:
    return open_adapter(open_base(ModelConfig(dtype="float32", attention="sdpa")), adapter).eval()


def test_the_lora_file_says_what_the_adapter_says(adapter: Path, tuned: Any, encoded: list[Encoded], tmp_path: Path) -> None:
    """On the model that the service runs. llama.cpp rounds activations to 8 bits there, which alone moves some top tokens."""
    file = export_lora(adapter, tmp_path / "lora.gguf")
    assert require_servable(file, SHA256) is not None
    weights = embedded_weights(get_settings().weights_folder)
    with_file = agreement(tuned, LlamaCppServer(weights, adapter=file, slots=1), encoded, positions=POSITIONS, lora=True)
    with tuned.disable_adapter():
        base_alone = agreement(tuned, LlamaCppServer(weights, slots=1), encoded, positions=POSITIONS)
    without_file = agreement(tuned, LlamaCppServer(weights, slots=1), encoded, positions=POSITIONS)
    assert with_file["mean_kl"] < 2 * base_alone["mean_kl"] + 0.005  # no worse than the two engines are without an adapter
    assert with_file["mean_kl"] < without_file["mean_kl"] / 5
    assert with_file["same_top"] >= 0.85


def test_the_boxed_form_is_small_and_whole(adapter: Path, tuned: Any, encoded: list[Encoded], tmp_path: Path) -> None:
    box = export_box(adapter, tmp_path / "box")
    names = {"adapter_config.json", "adapter_model.safetensors", "manifest.json", "README.md", "NOTICE", LORA_FILE}
    assert {file.name for file in box.iterdir()} == names
    trained = sum(parameter.numel() for name, parameter in tuned.named_parameters() if "lora_" in name)
    size = sum((box / name).stat().st_size for name in ("adapter_model.safetensors", LORA_FILE))
    assert 4 * trained < size < 4 * trained + 200_000
    boxed = open_adapter(open_base(ModelConfig(dtype="float32", attention="sdpa")), box).eval()
    ids = torch.tensor([encoded[0].input_ids[:120]])
    with torch.inference_mode():
        apart = (boxed(input_ids=ids).logits - tuned(input_ids=ids).logits).abs().max()
    assert apart < 0.5  # bfloat16 rounds


@pytest.mark.parametrize(("kind", "same", "kl"), [("f16", 0.97, 0.001), ("q8_0", 0.85, 0.05)], ids=["f16", "q8_0"])
def test_a_merged_gguf_says_what_the_adapter_says(
    adapter: Path, tuned: Any, encoded: list[Encoded], tmp_path: Path, kind: Any, same: float, kl: float
) -> None:
    file = export_gguf(adapter, tmp_path / "model.gguf", kind)
    found = agreement(tuned, LlamaCppServer(file, slots=1), encoded, positions=POSITIONS)
    assert found["same_top"] >= same
    assert found["mean_kl"] <= kl
    recipe = (tmp_path / "Modelfile").read_text(encoding="utf-8")
    assert "FROM ./model.gguf" in recipe
    assert 'PARAMETER stop "<end_of_turn>"' in recipe


def test_q4_0_is_complete_and_read_back_as_it_was_written(adapter: Path, encoded: list[Encoded], tmp_path: Path) -> None:
    """Four bits lose much of a 270M, so the file is compared with transformers on the file's own weights."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    file = export_gguf(adapter, tmp_path / "model.gguf", "q4_0")
    settings, weights = read_gemma(file)
    model = Gemma3ForCausalLM.from_pretrained(None, config=Gemma3TextConfig(**settings), state_dict=weights, dtype=torch.float32)
    found = agreement(model.eval(), LlamaCppServer(file, slots=1), encoded, positions=POSITIONS)
    assert found["same_top"] >= 0.85
    written = _reader(file)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in written.tensors}
    assert kinds["blk.0.ffn_up.weight"] == "Q4_0"
    assert kinds["token_embd.weight"] == "Q8_0"  # also the head: in four bits it would say something else
    assert kinds["output_norm.weight"] == "F32"
    fields, theirs = written.fields, gguf.GGUFReader(embedded_weights(get_settings().weights_folder)).fields
    for name in ("tokens", "scores", "token_type"):
        assert fields[f"tokenizer.ggml.{name}"].contents() == theirs[f"tokenizer.ggml.{name}"].contents()
    assert fields["tokenizer.ggml.eot_token_id"].contents() == 1
    assert "start_of_turn" in fields["tokenizer.chat_template"].contents()


def test_the_merged_folder_is_the_adapter_on_its_base(adapter: Path, tuned: Any, encoded: list[Encoded], tmp_path: Path) -> None:
    folder = export_merged(adapter, tmp_path / "merged")
    model = open_base(ModelConfig(base=str(folder), dtype="float32", attention="sdpa")).model
    ids = torch.tensor([encoded[0].input_ids])
    with torch.no_grad():
        ours, theirs = model(input_ids=ids).logits[0], tuned(input_ids=ids).logits[0]
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.95  # bfloat16 on disk
    exact = merged(adapter)[1]
    with torch.no_grad():
        torch.testing.assert_close(exact(input_ids=ids).logits[0], theirs, rtol=1e-3, atol=1e-3)


def test_the_exported_folder_has_a_card_and_gemma_s_notice(adapter: Path, tmp_path: Path) -> None:
    folder = export_adapter(adapter, tmp_path / "adapter")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: gemma" in card
    assert "Gemma Terms of Use" in (folder / "NOTICE").read_text(encoding="utf-8")
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 8
    assert not any(part in card for part in (str(adapter.parent), str(Path.home())))
    files = push(folder, "me/jindam", dry_run=True)
    assert {"adapter_model.safetensors", "manifest.json", "README.md", "NOTICE", "tokenizer.json"} <= set(files)


def test_what_cannot_be_exported_is_refused(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="내보낼 어댑터가 아닙니다"):
        export_lora(tmp_path, tmp_path / "lora.gguf")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    with pytest.raises(JindamError, match="다른 것이"):
        export_adapter(adapter, tmp_path / "taken")
    with pytest.raises(JindamError, match="모델 카드"):
        push(adapter, "me/jindam", dry_run=True)


def test_ollama_s_recipe_has_the_system_text(adapter: Path) -> None:
    manifest = read_manifest(adapter)
    assert manifest is not None
    text = modelfile(Path("model.gguf"), manifest)
    assert "<start_of_turn>user" in text
    assert "공감적이고" in text
