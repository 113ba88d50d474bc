"""Gemma 3 in GGUF: reading weights, and writing an adapter or a whole model, with the ``gguf`` package alone.

Names are ``gguf``'s own table. One rule is not in it: llama.cpp keeps an RMSNorm weight as the factor itself, transformers' Gemma as
the factor minus one (llama.cpp, conversion of Gemma: ``norm.weight`` + 1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from safetensors import safe_open

from backend.errors import JindamError
from backend.files import require_space, written_aside
from finetune.progress import Advance, silent

FileType = Literal["f16", "q8_0", "q4_0"]

_QUANTIZATION = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}
_ARCHITECTURE = "gemma3"
_EMBEDDING = "model.embed_tokens.weight"
_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<half>[AB])\.weight$")


def read_gemma(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The arguments of ``Gemma3TextConfig`` and the weights (float32, transformers' names) of a Gemma 3 GGUF file.

    Not in the file, and so transformers' defaults: ``query_pre_attn_scalar`` (256, right for 270M and 1B) and the pattern of five
    sliding layers and a full one.

    Raises:
        JindamError: the file holds another architecture.

    """
    reader = _reader(file)

    def value(key: str) -> Any:
        return reader.fields[key].contents()

    if value("general.architecture") != _ARCHITECTURE:
        raise JindamError(
            f"Gemma 3의 GGUF가 아닙니다: {file}", why=f"구조: {value('general.architecture')}", fix="다른 파일을 골라 주세요."
        )
    layers = value("gemma3.block_count")
    embedding = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    settings = {
        "vocab_size": int(embedding.shape[1]),
        "hidden_size": value("gemma3.embedding_length"),
        "intermediate_size": value("gemma3.feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": value("gemma3.attention.head_count"),
        "num_key_value_heads": value("gemma3.attention.head_count_kv"),
        "head_dim": value("gemma3.attention.key_length"),
        "max_position_embeddings": value("gemma3.context_length"),
        "rms_norm_eps": value("gemma3.attention.layer_norm_rms_epsilon"),
        "sliding_window": value("gemma3.attention.sliding_window"),
        "bos_token_id": value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": value("tokenizer.ggml.eos_token_id"),
        "pad_token_id": value("tokenizer.ggml.padding_token_id"),
        "tie_word_embeddings": True,
    }
    names = _hub_names(layers)
    weights = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=True)
        if tensor.name.endswith("norm.weight"):
            values -= 1
        weights[names[tensor.name]] = torch.from_numpy(values)
    return settings, weights


def write_lora(adapter: Path, target: Path) -> None:
    """Write the PEFT adapter in the folder ``adapter`` as a LoRA file for llama.cpp (float16).

    Raises:
        JindamError: the adapter changes something that a LoRA file cannot hold.

    """
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("use_dora") or settings.get("use_rslora") or settings.get("modules_to_save") or settings.get("rank_pattern"):
        raise JindamError(
            "이 어댑터는 LoRA GGUF로 옮길 수 없습니다.",
            why="DoRA, rsLoRA, 층마다 다른 랭크, 통째로 저장한 층은 담을 수 없습니다.",
            fix="합친 모델로 내보내 주세요 (--merged).",
        )
    layers = 1 + max(int(number) for number in re.findall(r"layers\.(\d+)\.", " ".join(_keys(adapter))))
    to_gguf = {hub: name for name, hub in _hub_names(layers).items()}
    with written_aside(target) as fresh:
        writer = gguf.GGUFWriter(fresh, _ARCHITECTURE)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(settings["lora_alpha"]))
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
            for key in sorted(tensors.keys()):
                found = _LORA.match(key)
                hub = f"{found['module']}.weight" if found else ""
                if found is None or hub not in to_gguf:
                    raise JindamError(
                        "이 어댑터는 LoRA GGUF로 옮길 수 없습니다.",
                        why=f"{key}에 해당하는 자리가 없습니다.",
                        fix="합친 모델로 내보내 주세요 (--merged).",
                    )
                name = f"{to_gguf[hub]}.lora_{found['half'].lower()}"
                writer.add_tensor(name, tensors.get_tensor(key).to(torch.float16).numpy())
        _finish(writer)


def write_model(
    weights: Mapping[str, torch.Tensor],
    config: Mapping[str, Any],
    target: Path,
    *,
    kind: FileType,
    tokenizer_from: Path,
    chat_template: str,
    end_of_turn: Literal["<eos>", "<end_of_turn>"],
    advance: Advance = silent,
) -> None:
    """Write a merged model (transformers' names) as a GGUF file that needs nothing else.

    ``tokenizer_from`` is a GGUF file with Gemma's vocabulary (the embedded one has it). Matrices get ``kind`` (with q4_0 the
    embedding gets q8_0); norms stay float32.

    Raises:
        JindamError: the disk is too full.

    """
    quantization, file_type = _QUANTIZATION[kind]
    bytes_a_weight = {"f16": 2.0, "q8_0": 1.07, "q4_0": 1.07}[kind]
    require_space(target.parent, int(sum(tensor.numel() for tensor in weights.values()) * bytes_a_weight) + 20_000_000)
    to_gguf = {hub: name for name, hub in _hub_names(int(config["num_hidden_layers"])).items()}
    with written_aside(target) as fresh:
        writer = gguf.GGUFWriter(fresh, _ARCHITECTURE)
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name("Jindam counsellor")
        writer.add_license("gemma")
        writer.add_context_length(int(config["max_position_embeddings"]))
        writer.add_embedding_length(int(config["hidden_size"]))
        writer.add_block_count(int(config["num_hidden_layers"]))
        writer.add_feed_forward_length(int(config["intermediate_size"]))
        writer.add_head_count(int(config["num_attention_heads"]))
        writer.add_head_count_kv(int(config["num_key_value_heads"]))
        writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
        writer.add_key_length(int(config["head_dim"]))
        writer.add_value_length(int(config["head_dim"]))
        writer.add_sliding_window(int(config["sliding_window"]))
        writer.add_rope_freq_base(float(config["rope_parameters"]["full_attention"]["rope_theta"]))
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _copy_tokenizer(writer, tokenizer_from)
        writer.add_chat_template(chat_template)
        stop = _reader(tokenizer_from).fields["tokenizer.ggml.tokens"].contents().index(end_of_turn)
        writer.add_eot_token_id(stop)
        for done, (hub, tensor) in enumerate(weights.items()):
            if hub != "lm_head.weight":  # tied to the embedding
                values = tensor.float().numpy()
                if hub.endswith("norm.weight"):
                    writer.add_tensor(to_gguf[hub], values + 1)
                else:
                    # The embedding is the head too; llama.cpp's own four-bit recipes keep it at six bits or more.
                    wanted = gguf.GGMLQuantizationType.Q8_0 if kind == "q4_0" and hub == _EMBEDDING else quantization
                    writer.add_tensor(to_gguf[hub], gguf.quantize(values, wanted), raw_dtype=wanted)
            advance(done + 1, len(weights))
        _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@lru_cache(maxsize=1)
def _reader(file: Path) -> gguf.GGUFReader:
    """Read once: the vocabulary alone takes a quarter of a minute."""
    return gguf.GGUFReader(file)


def _copy_tokenizer(writer: gguf.GGUFWriter, source: Path) -> None:
    for name, field in _reader(source).fields.items():
        if not name.startswith("tokenizer.") or name == gguf.Keys.Tokenizer.CHAT_TEMPLATE:
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)


def _hub_names(layers: int) -> dict[str, str]:
    """GGUF tensor name → transformers' name, of a Gemma 3 text model."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3, layers)
    projections = [f"self_attn.{part}_proj" for part in "qkvo"] + [f"mlp.{part}_proj" for part in ("gate", "up", "down")]
    norms = [
        "self_attn.q_norm", "self_attn.k_norm", "input_layernorm",
        "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm",
    ]  # fmt: skip
    inside = [f"model.layers.{layer}.{part}" for layer in range(layers) for part in [*projections, *norms]]
    names = {}
    for module in ["model.embed_tokens", "model.norm", *inside]:
        found = table.get_name(f"{module}.weight", try_suffixes=(".weight",))
        assert found is not None, module
        names[found] = f"{module}.weight"
    return names


def _keys(adapter: Path) -> Iterator[str]:
    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        yield from tensors.keys()
