"""Memory, step time and floating-point operations of a run, before it is run.

Operations are counted from shapes. Bytes kept for the backward pass are counted, and seconds measured, on a model of the same shape
with two layers and a small vocabulary at three lengths of row, and on a head of random weights: seconds, and no weights needed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch
from transformers import AutoConfig, Gemma3ForCausalLM, Gemma3TextConfig

from backend.errors import JindamError
from finetune.config import AdapterConfig, Config
from finetune.loss import ROWS, linear_cross_entropy
from finetune.model import EMBEDDED, add_adapter, attention_of, device
from finetune.train import planned_steps, steps_per_epoch

PUBLISHED: dict[str, dict[str, Any]] = {
    "google/gemma-3-270m": {"hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18, "num_attention_heads": 4},
    "google/gemma-3-1b": {"hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26, "num_attention_heads": 4},
}
"""Shapes of Gemma 3's text models from the ``config.json`` files on the hub, so that a gated model can be estimated without access.
All have one key-value head, heads of 256, and 262,144 tokens."""

_NF4_BYTES = 0.5 + 4 / 64
_NF4_DOUBLE_BYTES = 0.5 + 1 / 64 + 4 / 64 / 256
"""Bytes a weight in NF4 with blocks of 64: its 4 bits and its share of the block's constant (float32; quantised again: one byte and
a float32 for 256 of them). Dettmers et al. 2023, arXiv 2305.14314."""


_ALLOCATOR = 0.35
"""What glibc's allocator keeps on top of activations and logits that come and go in ever other sizes, measured on runs of four to thirty
updates of the 270M (.13 to .60)."""


@dataclass(frozen=True)
class Estimate:
    """What a run will need."""

    rows: int
    steps: int
    tokens_per_epoch: int
    """Tokens that go through the model, padding included."""
    parameters: int
    trainable: int
    gflop_per_step: float
    gflop_total: float
    memory_gb: float
    """Peak of the process (CPU) or of the device (GPU)."""
    memory_parts_gb: dict[str, float]
    seconds_per_step: float
    hours: float
    """Without early stopping; held-out losses included."""


def shape_of(base: str) -> Gemma3TextConfig:
    """The architecture of a base, without its weights.

    Raises:
        JindamError: it is neither embedded, published here, nor to be had.

    """
    if base == EMBEDDED:
        base = "google/gemma-3-270m"
    known = PUBLISHED.get(base.removesuffix("-it").removesuffix("-pt"))
    if known is not None:
        return Gemma3TextConfig(**known, num_key_value_heads=1, head_dim=256, vocab_size=262_144, sliding_window=512)
    try:
        config: Gemma3TextConfig = AutoConfig.from_pretrained(base).get_text_config()
    except (OSError, ValueError) as error:
        raise JindamError(
            f"모델의 구조를 알 수 없습니다: {base}",
            why=str(error).splitlines()[0],
            fix=f"폴더나 허브 이름을 확인해 주세요. 접속 없이 아는 모델: {', '.join(PUBLISHED)}",
        ) from error
    return config


def trainable_of(shape: Gemma3TextConfig, adapter: AdapterConfig) -> int:
    """Trainable parameters of an adapter on a model of this shape, counted on a model that holds no numbers."""
    with torch.device("meta"):
        model = add_adapter(Gemma3ForCausalLM(shape), adapter)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def gflop_of_row(shape: Gemma3TextConfig, config: Config, trainable: int, tokens: int, scored: int) -> float:
    """Billions of floating-point operations of one row's forward and backward pass, a multiplication and an addition counted as two.

    A frozen matrix costs 2 a weight and token forward and 2 backward (no gradient of its own), an adapter 6. Attention multiplies
    queries with keys and probabilities with values over the whole square, as the eager and SDPA kernels do on masked rows.
    """
    layers = shape.num_hidden_layers
    adapted = config.lora.top_layers or layers
    width = shape.num_attention_heads * shape.head_dim
    narrow = shape.num_key_value_heads * shape.head_dim
    matrices = shape.hidden_size * (2 * width + 2 * narrow + 3 * shape.intermediate_size)
    attention = 4 * width * tokens
    forward = layers * (2 * matrices + attention)
    backward = adapted * (2 * matrices + 2 * attention)
    again = forward if config.train.checkpointing else 0
    head = 2 * shape.hidden_size * shape.vocab_size
    head_work = 2 * head * tokens if config.train.head == "full" else head * scored
    return (tokens * (forward + backward + again + 6 * trainable) + head_work) / 1e9


def estimate(
    config: Config, lengths: Sequence[int], scored: Sequence[int], held_out: Sequence[int] = (), *, tflops: float | None = None
) -> Estimate:
    """What a run over rows of these lengths will need.

    ``scored`` counts the tokens of each row that the loss counts, ``held_out`` the lengths of held-out rows. ``tflops`` stands for a
    machine that is not this one: seconds are then operations divided by it, else they are measured here.
    """
    program = psutil.Process().memory_info().rss  # before the probe takes its own
    shape = shape_of(config.model.base)
    padded = [_padded(length, config) for length in lengths]
    trainable = trainable_of(shape, config.lora)
    work = [gflop_of_row(shape, config, trainable, length, count) for length, count in zip(padded, scored, strict=True)]
    sequences = len(padded) if not config.train.packing else -(-sum(padded) // config.data.max_tokens)
    steps = planned_steps(sequences, config)
    rows_a_step = len(padded) / steps_per_epoch(sequences, config)
    per_step = float(np.mean(work)) * rows_a_step
    widest = config.data.max_tokens if config.train.packing else max(padded)
    probe = _Probe(shape, config)
    memory = _memory(shape, config, trainable, widest, max(scored), probe, program)
    if tflops:
        seconds_a_step = per_step / tflops / 1e3
        evaluation = sum(held_out) / max(sum(padded), 1) * seconds_a_step * steps_per_epoch(sequences, config) / 3
    else:
        seconds_a_step = float(np.mean(probe.seconds(padded, scored))) * rows_a_step
        evaluation = float(np.sum(probe.seconds(held_out, held_out))) / 2.2 if held_out else 0.0
    evaluations = steps / max(1, round(steps_per_epoch(sequences, config) / config.train.evaluations_per_epoch)) + 1
    return Estimate(
        rows=len(lengths),
        steps=steps,
        tokens_per_epoch=sum(padded),
        parameters=_parameters(shape),
        trainable=trainable,
        gflop_per_step=round(per_step, 1),
        gflop_total=round(per_step * steps, 1),
        memory_gb=round(sum(memory.values()), 2),
        memory_parts_gb={name: round(size, 3) for name, size in memory.items()},
        seconds_per_step=round(seconds_a_step, 2),
        hours=round((seconds_a_step * steps + evaluation * evaluations) / 3600, 2),
    )


def _padded(length: int, config: Config) -> int:
    unit = config.data.pad_to or 1
    return -(-length // unit) * unit


def _parameters(shape: Gemma3TextConfig) -> int:
    with torch.device("meta"):
        model = Gemma3ForCausalLM(shape)
        model.tie_weights()
    return sum(parameter.numel() for parameter in model.parameters())


def _memory(
    shape: Gemma3TextConfig, config: Config, trainable: int, widest: int, most_scored: int, probe: _Probe, program: int
) -> dict[str, float]:
    """Gigabytes by what holds them, at the longest batch."""
    bytes_each = 2 if config.model.dtype == "bfloat16" else 4
    embedding = shape.vocab_size * shape.hidden_size
    matrices = _parameters(shape) - embedding
    quantised = {"none": bytes_each, "nf4": _NF4_DOUBLE_BYTES if config.model.double_quantize else _NF4_BYTES}[
        config.model.quantize
    ]
    batch = config.train.batch_size
    if config.train.head == "full":
        head = widest * batch * shape.vocab_size * (bytes_each + 2 * 4)  # logits, their float32 copy, its gradient
    else:
        rows = min(ROWS, most_scored * batch)
        head = rows * (shape.vocab_size * bytes_each + 8192 * 8)
    layers = config.lora.top_layers or shape.num_hidden_layers
    kept = probe.kept_bytes(widest) * batch
    activations = kept + layers * widest * batch * shape.hidden_size * bytes_each if config.train.checkpointing else kept * layers
    parts = {
        "weights": embedding * bytes_each + matrices * quantised,
        "adapter and optimizer": 16 * trainable,
        "activations": activations,
        "head": head,
    }
    if device().type == "cpu":
        parts["program"] = program
        parts["allocator"] = _ALLOCATOR * (activations + head)
    return {name: size / 1e9 for name, size in parts.items()}


class _Probe:
    """Two layers of the model with their adapter, and a head of random weights, to measure on."""

    LENGTHS = (128, 384, 768)
    POSITIONS = (64, 384)

    def __init__(self, shape: Gemma3TextConfig, config: Config) -> None:
        self._layers = shape.num_hidden_layers
        self._adapted = config.lora.top_layers or shape.num_hidden_layers
        self._checkpointing = config.train.checkpointing
        self._dtype = getattr(torch, config.model.dtype)
        self._head = config.train.head
        self._vocabulary = shape.vocab_size
        small = Gemma3TextConfig(
            **{**shape.to_dict(), "num_hidden_layers": 2, "layer_types": ["sliding_attention"] * 2, "vocab_size": 1024}
        )
        model = Gemma3ForCausalLM._from_config(small, dtype=self._dtype, attn_implementation=attention_of(config.model))
        self._model = add_adapter(model.to(device()), config.lora.model_copy(update={"top_layers": None})).train()
        self._hidden_size = shape.hidden_size
        self._measured: tuple[Any, Any] | None = None

    def kept_bytes(self, length: int) -> float:
        """Bytes that one layer keeps for the backward pass of a row of ``length`` tokens."""
        sizes = []
        for tokens in self.LENGTHS:
            kept: dict[int, int] = {}

            def pack(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
                storage = tensor.untyped_storage()
                kept[storage.data_ptr()] = storage.nbytes()
                return tensor

            weights = {parameter.untyped_storage().data_ptr() for parameter in self._model.parameters()}
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                hidden = self._forward(tokens)
            sizes.append(sum(size for pointer, size in kept.items() if pointer not in weights) / 2)
            del hidden
        return float(np.polyval(np.polyfit(self.LENGTHS, sizes, 2), length))

    def seconds(self, lengths: Sequence[int], scored: Sequence[int]) -> np.ndarray[Any, Any]:
        """Seconds of a forward and backward pass of each row."""
        if self._measured is None:
            layer = [self._time(lambda tokens=tokens: self._step(tokens)) / 2 for tokens in self.LENGTHS]
            self._measured = np.polyfit(self.LENGTHS, layer, 2), self._head_curve()
        curve, head = self._measured
        share = (self._adapted + (self._layers - self._adapted) / 3) * (4 / 3 if self._checkpointing else 1)
        counted = np.asarray(lengths if self._head == "full" else scored)
        return np.polyval(curve, np.asarray(lengths)) * share + np.polyval(head, counted)

    def _head_curve(self) -> np.ndarray[Any, Any]:
        """Seconds of the head as a line over the positions it projects: reading its weights costs the same for one as for all."""
        weight = torch.empty(self._vocabulary, self._hidden_size, dtype=self._dtype, device=device()).normal_(std=0.02)
        seconds = []
        for rows in self.POSITIONS:
            hidden = torch.randn(rows, self._hidden_size, dtype=self._dtype, device=device(), requires_grad=True)
            labels = torch.randint(0, self._vocabulary, (rows,), device=device())

            def full(hidden: torch.Tensor = hidden, labels: torch.Tensor = labels) -> None:
                torch.nn.functional.cross_entropy((hidden @ weight.T).float(), labels).backward()

            def ours(hidden: torch.Tensor = hidden, labels: torch.Tensor = labels) -> None:
                linear_cross_entropy(hidden, weight, labels).sum().backward()

            seconds.append(self._time(full if self._head == "full" else ours, runs=2))
        return np.polyfit(self.POSITIONS, seconds, 1)

    def _forward(self, tokens: int) -> torch.Tensor:
        ids = torch.randint(0, 1024, (1, tokens), device=device())
        hidden: torch.Tensor = self._model.get_base_model().model(input_ids=ids, use_cache=False).last_hidden_state
        return hidden

    def _step(self, tokens: int) -> None:
        self._forward(tokens).sum().backward()

    def _time(self, work: Any, runs: int = 5) -> float:
        work()
        seconds = []
        for _ in range(runs):
            start = time.perf_counter()
            work()
            if device().type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return float(np.median(seconds))
