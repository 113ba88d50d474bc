from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backend.errors import JindamError
from backend.models.adapter_manifest import FILE_NAME
from backend.models.weights import SHA256
from finetune.config import AdapterConfig, ModelConfig
from finetune.loss import add_scored_head
from finetune.model import Base, add_adapter, embedded_folder, open_adapter, open_base, trainable_parameters
from finetune.template import Layout
from tests.finetune.test_template import turns


def test_the_embedded_model_opens_without_login(embedded: Base) -> None:
    assert embedded.sha256 == SHA256
    assert embedded.model.dtype == torch.bfloat16
    assert embedded.model.get_output_embeddings().weight is embedded.model.get_input_embeddings().weight
    assert embedded.model.num_parameters() == 268_098_176
    assert embedded.tokenizer.chat_template


def test_its_turn_markers_are_untrained_so_replies_end_with_eos(embedded: Base) -> None:
    assert embedded.stop == "<eos>"


def test_a_base_that_knows_its_markers_keeps_them(tiny: Path) -> None:
    assert open_base(ModelConfig(base=str(tiny))).stop == "<end_of_turn>"  # random rows are unlike each other


def test_its_text_is_predicted_better_than_noise(embedded: Base, layout: Layout) -> None:
    ids = torch.tensor([layout.tokenizer("대한민국의 수도는 서울이다. 서울은 한강을 끼고 있다.")["input_ids"]])
    with torch.no_grad():
        loss = embedded.model(input_ids=ids, labels=ids).loss.item()
    assert loss < 5  # a vocabulary of 262,144 at random: 12.5


@pytest.mark.parametrize("double", [False, True])
def test_nf4_of_the_real_weights_runs_forward_and_backward_on_a_cpu(layout: Layout, double: bool) -> None:
    base = open_base(ModelConfig(quantize="nf4", double_quantize=double))
    add_scored_head(base.model)
    model = add_adapter(base.model, AdapterConfig(rank=4)).train()
    assert type(model.get_base_model().model.layers[0].mlp.up_proj.base_layer).__name__ == "Linear4bit"
    row = layout.encode(turns("요즘 불안해요.", "무엇이 가장 마음에 걸리나요?"))
    losses = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels]), scored_head=True).losses
    losses.mean().backward()
    gradients = [p.grad for name, p in model.named_parameters() if "lora_B" in name]
    assert 2 < losses.mean().item() < 8
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_the_adapter_is_the_same_for_the_same_seed(tiny: Path) -> None:
    adapters = []
    for seed in (1, 1, 2):
        model = add_adapter(open_base(ModelConfig(base=str(tiny))).model, AdapterConfig(rank=2), seed=seed)
        adapters.append(torch.cat([p.flatten() for p in model.parameters() if p.requires_grad]))
    assert torch.equal(adapters[0], adapters[1])
    assert not torch.equal(adapters[0], adapters[2])


def test_only_the_top_layers(tiny: Path) -> None:
    whole = trainable_parameters(add_adapter(open_base(ModelConfig(base=str(tiny))).model, AdapterConfig(rank=2)))
    top = add_adapter(open_base(ModelConfig(base=str(tiny))).model, AdapterConfig(rank=2, top_layers=1))
    assert trainable_parameters(top) == whole / 2
    assert all(".layers.1." in name for name, p in top.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("adapter", [AdapterConfig(top_layers=3), AdapterConfig(targets=("nonsense",))])
def test_an_adapter_that_does_not_fit_is_refused(tiny: Path, adapter: AdapterConfig) -> None:
    with pytest.raises(JindamError, match=r"lora\.|어댑터를 붙일"):
        add_adapter(open_base(ModelConfig(base=str(tiny))).model, adapter)


def test_a_base_that_cannot_be_had(tmp_path: Path) -> None:
    for base in (str(tmp_path / "none"), "jindam/no-such-model"):
        with pytest.raises(JindamError, match="열지 못했습니다") as caught:
            open_base(ModelConfig(base=base))
        assert "embedded" in caught.value.fix


def test_an_adapter_belongs_to_its_base(tiny: Path, tmp_path: Path) -> None:
    base = open_base(ModelConfig(base=str(tiny)))
    add_adapter(base.model, AdapterConfig(rank=2)).save_pretrained(tmp_path)
    with pytest.raises(JindamError, match=r"adapter_config\.json"):
        open_adapter(open_base(ModelConfig(base=str(tiny))), tmp_path / "none")
    manifest = {
        "base": "other",
        "hub_name": "other",
        "base_sha256": "0" * 64,
        "template_sha256": "",
        "layout": "gemma",
        "stop": "<eos>",
    }
    manifest |= {"tokenizer_sha256": "", "train_sha256": "", "rows": 1, "config": {}}  # type: ignore[dict-item]
    (tmp_path / FILE_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(JindamError, match="맞지 않습니다"):
        open_adapter(open_base(ModelConfig(base=str(tiny))), tmp_path)
    (tmp_path / FILE_NAME).write_text(json.dumps(manifest | {"base_sha256": base.sha256}), encoding="utf-8")
    open_adapter(open_base(ModelConfig(base=str(tiny))), tmp_path)
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(JindamError, match="열 수 없습니다"):
        open_adapter(open_base(ModelConfig(base=str(tiny))), tmp_path)


def test_the_unpacked_weights_are_kept(at_home: None) -> None:
    folder = embedded_folder()
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert embedded_folder() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
