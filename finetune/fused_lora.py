"""LoRA's product in one step, for training on frozen weights that are not quantised.

PEFT computes ``x Wᵀ + s · (x Aᵀ) Bᵀ`` as separate operations with the adapter in float32: ``x`` is copied to float32, four small
products run in float32, and the result is copied back. Here the adapter keeps its float32 weights (the optimiser needs them), the
products run in the activations' type, and the backward pass recomputes nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import Linear
from torch import Tensor, nn


class _LoraProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        a, b = a.to(x.dtype), (b * scale).to(x.dtype)
        narrow = x @ a.T
        ctx.save_for_backward(x, weight, a, b, narrow)
        ctx.scale = scale
        return torch.addmm(x @ weight.T, narrow, b.T)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        x, weight, a, b, narrow = ctx.saved_tensors
        grad_narrow = grad @ b
        grad_x = torch.addmm(grad @ weight, grad_narrow, a) if ctx.needs_input_grad[0] else None
        return grad_x, None, (grad_narrow.T @ x).float(), (grad.T @ narrow).float() * ctx.scale, None


class FusedLoraLinear(Linear):  # type: ignore[misc]
    """PEFT's LoRA layer with the product above where it applies: one active plain adapter, no dropout, training."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(…, in) → (…, out)."""
        name: str = self.active_adapters[0] if len(self.active_adapters) == 1 else ""
        if (
            name not in self.lora_A
            or self.disable_adapters
            or self.merged
            or not torch.is_grad_enabled()
            or kwargs.get("adapter_names") is not None
            or self.use_dora.get(name)
            or not isinstance(self.lora_dropout[name], nn.Identity)
        ):
            result: Tensor = super().forward(x, *args, **kwargs)
            return result
        flat = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]),
            self.base_layer.weight,
            self.lora_A[name].weight,
            self.lora_B[name].weight,
            self.scaling[name],
        )
        out: Tensor = flat.view(*x.shape[:-1], -1)
        return out


def fuse(config: LoraConfig) -> None:
    """Make PEFT build :class:`FusedLoraLinear` for this adapter. Saved adapters are the same with and without."""
    config._register_custom_module({nn.Linear: FusedLoraLinear})
