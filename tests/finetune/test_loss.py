from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from finetune.loss import add_scored_head, linear_cross_entropy
from finetune.model import Base
from finetune.template import Layout
from tests.finetune.test_template import turns


def example(rows: int, dtype: torch.dtype, vocabulary: int = 20_000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(rows, 24, dtype=dtype, requires_grad=True)
    return hidden, torch.randn(vocabulary, 24, dtype=dtype), torch.randint(0, vocabulary, (rows,))


@pytest.mark.parametrize("rows", [1, 7, 600])
@pytest.mark.parametrize("negligible", [0.0, 1e-5])
def test_losses_and_gradient_are_those_of_cross_entropy(rows: int, negligible: float) -> None:
    hidden, weight, labels = example(rows, torch.float32)
    weights = torch.rand(rows)
    losses = linear_cross_entropy(hidden, weight, labels, negligible)
    (losses * weights).sum().backward()
    ours, hidden.grad = hidden.grad, None
    reference = cross_entropy(hidden @ weight.T, labels, reduction="none")
    (reference * weights).sum().backward()
    assert ours is not None
    assert hidden.grad is not None
    torch.testing.assert_close(losses, reference, rtol=1e-5, atol=1e-5)
    difference = (ours - hidden.grad).norm() / hidden.grad.norm()
    assert difference < (1e-5 if not negligible else 5e-3)


def test_bfloat16_is_as_near_as_its_digits() -> None:
    hidden, weight, labels = example(64, torch.bfloat16)
    losses = linear_cross_entropy(hidden, weight, labels)
    exact = cross_entropy(hidden.float() @ weight.float().T, labels, reduction="none")
    assert losses.dtype == torch.float32
    assert (losses - exact).abs().mean() < 0.05


def test_nothing_of_the_vocabulary_s_size_is_kept() -> None:
    hidden, weight, labels = example(64, torch.float32)
    kept: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        linear_cross_entropy(hidden, weight, labels).sum()
    assert kept == [hidden.numel()]


def test_without_gradients_only_losses_are_made() -> None:
    hidden, weight, labels = example(5, torch.float32)
    with torch.no_grad():
        losses = linear_cross_entropy(hidden, weight, labels)
    torch.testing.assert_close(losses, cross_entropy(hidden @ weight.T, labels, reduction="none"), rtol=1e-5, atol=1e-5)


def test_the_scored_head_of_the_real_model_is_its_own_loss(embedded: Base, layout: Layout) -> None:
    row = layout.encode(turns("요즘 공부가 손에 안 잡혀요.", "언제부터 그랬는지 떠올려 볼까요?"))
    ids, labels = torch.tensor([row.input_ids]), torch.tensor([row.labels])
    add_scored_head(embedded.model)
    with torch.no_grad():
        plain: Any = embedded.model(input_ids=ids, labels=labels)
        ours: Any = embedded.model(input_ids=ids, labels=labels, scored_head=True)
    assert ours.losses.mean().item() == pytest.approx(plain.loss.item(), abs=1e-3)
    assert ours.labels.tolist() == [label for label in row.labels if label != -100]
    assert plain.logits.shape[1] == len(row.input_ids)


def test_a_batch_without_labels_is_a_differentiable_nothing() -> None:
    hidden, weight, labels = example(3, torch.float32)
    losses = linear_cross_entropy(hidden[:0], weight, labels[:0])
    losses.sum().backward()
    assert losses.shape == (0,)
