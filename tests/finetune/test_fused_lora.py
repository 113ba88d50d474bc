from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import nn

from finetune.config import AdapterConfig, ModelConfig
from finetune.fused_lora import FusedLoraLinear
from finetune.model import add_adapter, open_base


def opened(tiny: Path, dropout: float = 0.0) -> Any:
    base = open_base(ModelConfig(base=str(tiny), dtype="float32"))
    model = add_adapter(base.model, AdapterConfig(rank=4, alpha=8, dropout=dropout))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
    return model


def gradients(model: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    hidden = model.get_base_model().model(input_ids=torch.randint(0, 1000, (1, 12))).last_hidden_state
    hidden.square().sum().backward()
    return hidden.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_outputs_and_gradients_are_peft_s(tiny: Path) -> None:
    model = opened(tiny)
    fused = [module for module in model.modules() if isinstance(module, FusedLoraLinear)]
    assert len(fused) == 14
    ours, our_gradients = gradients(model)
    model.zero_grad()
    for module in fused:
        module.use_dora["default"] = True  # not a plain adapter: PEFT's own path …
        module.lora_variant.clear()  # … which without a variant is plain LoRA
    theirs, their_gradients = gradients(model)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert our_gradients.keys() == their_gradients.keys()
    for name, gradient in our_gradients.items():
        torch.testing.assert_close(gradient, their_gradients[name], rtol=1e-4, atol=1e-5, msg=name)


def test_with_dropout_peft_s_own_layers_are_used(tiny: Path) -> None:
    assert not any(isinstance(module, FusedLoraLinear) for module in opened(tiny, dropout=0.1).modules())


def test_switched_off_it_is_the_base(tiny: Path) -> None:
    model = opened(tiny)
    base = open_base(ModelConfig(base=str(tiny), dtype="float32")).model
    ids = torch.randint(0, 1000, (1, 9))
    with model.disable_adapter():
        torch.testing.assert_close(model(input_ids=ids).logits, base(input_ids=ids).logits)
    assert not torch.allclose(model(input_ids=ids).logits, base(input_ids=ids).logits)


def test_saved_adapters_open_without_us(tiny: Path, tmp_path: Path) -> None:
    model = opened(tiny)
    model.save_pretrained(tmp_path)
    ids = torch.randint(0, 1000, (1, 9))
    plain = PeftModel.from_pretrained(open_base(ModelConfig(base=str(tiny), dtype="float32")).model, str(tmp_path))
    assert not any(isinstance(module, FusedLoraLinear) for module in plain.modules())
    torch.testing.assert_close(plain(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adapters_stay_in_float32(tiny: Path, dtype: torch.dtype) -> None:
    base = open_base(ModelConfig(base=str(tiny), dtype="bfloat16" if dtype == torch.bfloat16 else "float32"))
    model = add_adapter(base.model, AdapterConfig(rank=2))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert model.get_base_model().lm_head.weight.dtype == dtype
