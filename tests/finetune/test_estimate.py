from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from backend.errors import JindamError
from finetune.config import AdapterConfig, load_config
from finetune.estimate import estimate, gflop_of_row, shape_of, trainable_of
from finetune.model import Base, add_adapter


def test_the_seed_recipe_s_adapter_on_gemma_3_1b() -> None:
    seed = load_config("seed-recipe")
    assert trainable_of(shape_of(seed.model.base), seed.lora) == 26_091_520
    found = estimate(seed, [2048] * 4, [2048] * 4, tflops=10)
    assert found.trainable == 26_091_520
    assert found.parameters == 999_885_952
    assert found.memory_parts_gb["head"] > 4  # float32 logits of 2 × 2048 positions alone are 4.3 GB


def test_published_shapes_are_the_models(embedded: Base) -> None:
    shape = shape_of("embedded")
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"):
        assert getattr(shape, name) == getattr(embedded.model.config, name)
    assert shape.head_dim == embedded.model.config.head_dim
    assert list(shape.layer_types) == list(embedded.model.config.layer_types)
    with pytest.raises(JindamError, match="구조를 알 수 없습니다"):
        shape_of("jindam/no-such-model")


@pytest.mark.parametrize(("head", "top"), [("full", None), ("scored", None), ("full", 1)])
def test_operations_are_those_that_torch_counts(head: str, top: int | None) -> None:
    """Counted by PyTorch on a small model of the same kind; the attention of its masked square included."""
    from transformers import Gemma3ForCausalLM

    shape = shape_of("embedded")
    shape.num_hidden_layers, shape.layer_types, shape.vocab_size = 2, ["sliding_attention"] * 2, 4096
    config = load_config("smoke", [f"train.head={head}"]).model_copy(update={"lora": AdapterConfig(rank=8, top_layers=top)})
    model = add_adapter(Gemma3ForCausalLM._from_config(shape, attn_implementation="eager"), config.lora)
    ids = torch.randint(0, 4096, (1, 160))
    labels = ids.clone()
    with FlopCounterMode(display=False) as counter:
        if head == "full":
            model(input_ids=ids, labels=labels).loss.backward()
        else:
            hidden = model.get_base_model().model(input_ids=ids).last_hidden_state[0]
            (hidden @ model.get_base_model().lm_head.weight.T.detach()).sum()
            hidden.sum().backward()
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    expected = gflop_of_row(shape, config, trainable, 160, 160)
    assert expected == pytest.approx(counter.get_total_flops() / 1e9, rel=0.06)


def test_what_costs_more_is_estimated_higher() -> None:
    lengths, scored = [300, 400, 500], [200, 250, 300]

    def found(*changes: str) -> object:
        return estimate(load_config("gemma3-270m-cpu", list(changes)), lengths, scored, tflops=1.0)

    plain = found()
    assert found("train.head=full").memory_gb > plain.memory_gb  # type: ignore[attr-defined]
    assert found("train.checkpointing=true").memory_parts_gb["activations"] < plain.memory_parts_gb["activations"]  # type: ignore[attr-defined]
    assert found("train.checkpointing=true").gflop_per_step > plain.gflop_per_step  # type: ignore[attr-defined]
    assert found("lora.top_layers=6").gflop_per_step < plain.gflop_per_step  # type: ignore[attr-defined]
    assert found("model.quantize=nf4").memory_parts_gb["weights"] < plain.memory_parts_gb["weights"]  # type: ignore[attr-defined]
    assert found("data.pad_to=2048").tokens_per_epoch == 3 * 2048  # type: ignore[attr-defined]
