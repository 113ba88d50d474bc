"""Cross-entropy over Gemma's 262,144 tokens without holding their logits.

Plain transformers projects every position, keeps the logits in float32 for the backward pass, and multiplies the whole vocabulary a
second time there. Here

1. only positions with a label are projected (the last projection has no other readers);
2. the gradient of the hidden states is worked out in the forward pass, so that nothing of the vocabulary's size waits for the
   backward pass ("grad in forward", as in Liger-Kernel's fused linear cross-entropy);
3. the second product takes only the tokens that some position gives a probability above :data:`NEGLIGIBLE`: all others together
   move the gradient by less than bfloat16 rounds it (the gradient filter of Cut Cross-Entropy, Wijmans et al. 2024,
   arXiv 2411.09009, there by blocks, here by columns). The loss is exact in any case.

The head must be frozen: it gets no gradient. That is so for LoRA, whose targets never include it.
"""

from __future__ import annotations

import functools
import math
import types
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from finetune.template import IGNORED

NEGLIGIBLE = 1e-5
"""Probability below which a token's pull on the hidden states is left out. Measured on Gemma 3 270M: of 262,144 columns 6,000
remain, and the gradient differs by 0.0014 of its norm; bfloat16 alone makes 0.0022."""

_TILE = 8192
"""Tokens of the vocabulary projected at once: 8,192 × 300 logits in float32 are 10 MB, about what a core's cache holds."""
ROWS = 512
"""Positions at once: they bound the logits kept between the two looks at them, 512 × 262,144 × 2 bytes = 268 MB."""


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, negligible: float) -> Tensor:
        losses, grads = [hidden.new_zeros(0, dtype=torch.float32)], [hidden.new_zeros(0, hidden.shape[1])]
        for start in range(0, len(labels), ROWS):
            rows = slice(start, start + ROWS)
            loss, grad = _forward(hidden[rows], weight, labels[rows], negligible, with_grad=ctx.needs_input_grad[0])
            losses.append(loss)
            grads.append(grad)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(torch.cat(grads))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (grad_hidden,) = ctx.saved_tensors
        return grad_hidden * grad[:, None].to(grad_hidden.dtype), None, None, None


def _forward(hidden: Tensor, weight: Tensor, labels: Tensor, negligible: float, *, with_grad: bool) -> tuple[Tensor, Tensor]:
    count, vocabulary = len(labels), len(weight)
    highest = torch.full((count,), -math.inf, device=hidden.device)
    total = torch.zeros(count, device=hidden.device)
    own = torch.zeros(count, device=hidden.device)
    tiles = []
    for start in range(0, vocabulary, _TILE):
        tile = hidden @ weight[start : start + _TILE].T
        here = (labels >= start) & (labels < start + _TILE)
        own[here] = tile[here, labels[here] - start].float()
        raised = torch.maximum(highest, tile.amax(1).float())
        total = total * (highest - raised).exp() + (tile.float() - raised[:, None]).exp_().sum(1)
        highest = raised
        if with_grad:
            tiles.append(tile)
    log_total = highest + total.log()
    if not with_grad:
        return log_total - own, hidden.new_empty(0)
    threshold = (log_total + math.log(negligible)).to(hidden.dtype)[:, None] if negligible else None
    gradient = torch.zeros_like(hidden, dtype=torch.float32)
    for number, tile in enumerate(tiles):
        start = number * _TILE
        here = ((labels >= start) & (labels < start + _TILE)).nonzero()[:, 0]
        keep = torch.ones(tile.shape[1], dtype=torch.bool, device=tile.device) if threshold is None else (tile > threshold).any(0)
        keep[labels[here] - start] = True
        columns = keep.nonzero()[:, 0]
        pull = tile[:, columns].float().sub_(log_total[:, None]).exp_()
        pull[here, torch.searchsorted(columns, labels[here] - start)] -= 1
        gradient += pull.to(hidden.dtype) @ weight[start : start + _TILE][columns]
    return log_total - own, gradient.to(hidden.dtype)


def linear_cross_entropy(hidden: Tensor, weight: Tensor, labels: Tensor, negligible: float = NEGLIGIBLE) -> Tensor:
    """The negative log-likelihood of each label, in nats: ``-log softmax(hidden @ weight.T)[label]``.

    ``hidden`` is (positions, width), ``weight`` (vocabulary, width) and frozen, ``labels`` (positions,), none of them ignored.
    Returns (positions,) in float32. With ``negligible=0`` the gradient is exact too.
    """
    losses: Tensor = _LinearCrossEntropy.apply(hidden, weight, labels, negligible)  # type: ignore[no-untyped-call]
    return losses


@dataclass
class ScoredOutput(ModelOutput):  # type: ignore[misc]
    """What a model with a scored head returns."""

    losses: Tensor | None = None
    """(scored positions,) negative log-likelihoods in nats."""
    labels: Tensor | None = None
    """(scored positions,) what stood there."""


def add_scored_head(model: Any) -> None:
    """Let ``model(…, labels=…, scored_head=True)`` return a :class:`ScoredOutput`; other calls stay as they are.

    The call goes through the model's own forward, so that wrappers of several GPUs see it (TRL adds its fused head in the same way).
    """
    plain = model.forward

    @functools.wraps(type(model).forward)  # generate() looks at the signature
    def forward(self: Any, *args: Any, scored_head: bool = False, labels: Tensor | None = None, **kwargs: Any) -> Any:
        if not scored_head or labels is None:
            return plain(*args, labels=labels, **kwargs)
        hidden = self.base_model(*args, **kwargs, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:].to(hidden.device)
        scored = wanted != IGNORED
        return ScoredOutput(
            losses=linear_cross_entropy(hidden[scored], self.get_output_embeddings().weight, wanted[scored]),
            labels=wanted[scored],
        )

    model.forward = types.MethodType(forward, model)
