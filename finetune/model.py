"""The base model and its adapter, opened for training or evaluation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from backend.errors import JindamError
from backend.files import locked, require_space, written_aside
from backend.models.adapter_manifest import require_peft, require_unchanged
from backend.models.gemma import EMBEDDED_MODEL
from backend.models.gemma_tokenizer import gemma_tokenizer
from backend.models.weights import SHA256, embedded_weights
from backend.settings import get_settings
from finetune.config import AdapterConfig, Config, ModelConfig
from finetune.fused_lora import fuse
from finetune.gguf_files import read_gemma
from finetune.template import CHAT_TEMPLATE, Layout

EMBEDDED = "embedded"
_HUB_NAME = "google/gemma-3-270m"
"""What the embedded weights are a quantised copy of."""

_UNTRAINED = 0.9
"""Cosine of the rows of ``<start_of_turn>`` and ``<end_of_turn>`` above which neither was trained. The 270M base has .95, like its
``<unused*>`` rows; trained tokens that differ in meaning are far below (``<eos>`` and ``<end_of_turn>`` have -.30)."""


@dataclass(frozen=True)
class Base:
    """An opened base model."""

    name: str
    model: Any
    """A transformers causal language model (typed in part only)."""
    tokenizer: PreTrainedTokenizerBase
    sha256: str
    """Of the GGUF file (embedded), of the folder's weights, or of ``name@revision`` (hub): what an adapter is bound to."""

    @property
    def hub_name(self) -> str:
        """What transformers users know the base as; no path of this machine for the embedded one."""
        return _HUB_NAME if self.name == EMBEDDED_MODEL else self.name

    @property
    def stop(self) -> Literal["<eos>", "<end_of_turn>"]:
        """The token that ends a reply in training: one that the frozen head can tell from others."""
        ids = self.tokenizer.convert_tokens_to_ids(["<start_of_turn>", "<end_of_turn>"])
        rows = self.model.get_input_embeddings().weight[ids].float()
        alike = torch.nn.functional.cosine_similarity(rows[0], rows[1], dim=0).item()
        return "<eos>" if alike > _UNTRAINED else "<end_of_turn>"


def open_base(config: ModelConfig) -> Base:
    """The model that ``config`` names, on the accelerator if there is one.

    Raises:
        JindamError: the model cannot be had, is no Gemma, or does not fit the machine.

    """
    embedded = config.base == EMBEDDED
    source = str(embedded_folder()) if embedded else config.base
    model, tokenizer = _open(source, config)
    if not tokenizer.chat_template:
        tokenizer.chat_template = CHAT_TEMPLATE
    model.config.use_cache = False
    return Base(
        name=EMBEDDED_MODEL if embedded else config.base,
        model=model,
        tokenizer=tokenizer,
        sha256=SHA256 if embedded else _sha256(source),
    )


def add_adapter(model: Any, config: AdapterConfig, *, seed: int = 0) -> Any:
    """``model`` with a fresh LoRA adapter, the same one for the same seed.

    Raises:
        JindamError: the model has no projection of a given name, or fewer layers than asked for.

    """
    layers = model.config.get_text_config().num_hidden_layers
    if config.top_layers is not None and config.top_layers > layers:
        raise JindamError(
            f"lora.top_layers={config.top_layers}을(를) 쓸 수 없습니다.",
            why=f"이 모델의 층은 {layers}개입니다.",
            fix=f"{layers} 이하로 적거나 지워 주세요.",
        )
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=cast(int, config.alpha),
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        layers_to_transform=list(range(layers - config.top_layers, layers)) if config.top_layers else None,
        task_type="CAUSAL_LM",
    )
    if not config.dropout and getattr(model, "quantization_method", None) is None:
        fuse(lora)
    torch.manual_seed(seed)
    try:
        return get_peft_model(model, lora)
    except ValueError as error:
        raise JindamError(
            "어댑터를 붙일 수 없습니다.",
            why=str(error).splitlines()[0],
            fix="lora.targets의 이름을 모델의 층 이름과 맞춰 주세요.",
        ) from error


def open_adapter(base: Base, folder: Path, *, trainable: bool = False) -> Any:
    """``base`` with the adapter in ``folder``.

    Raises:
        JindamError: there is none, it is damaged, or it was trained on another base.

    """
    require_peft(folder)
    require_unchanged(folder, base.sha256)
    try:
        return PeftModel.from_pretrained(base.model, str(folder), is_trainable=trainable)
    except Exception as error:  # safetensors, PEFT and torch each have their own
        raise JindamError(
            f"어댑터를 열 수 없습니다: {folder}",
            why=str(error).strip().splitlines()[0],
            fix="폴더가 온전한 PEFT 어댑터인지, 이 모델로 만든 것인지 확인해 주세요.",
        ) from error


def layout_of(config: Config, base: Base) -> Layout:
    """How dialogues are laid out for an opened base."""
    stop = base.stop if config.data.stop == "auto" else config.data.stop
    return Layout(base.tokenizer, stop=stop, kind=config.data.layout, scored=config.data.scored)


def layout_without_weights(config: Config) -> Layout:
    """The same before any weights are opened.

    The tokenizer is the embedded one (Gemma 3's text models share it), and the stop token is ``<end_of_turn>`` for a base whose name
    says that it was tuned on instructions.
    """
    tuned = config.model.base.rstrip("/").endswith("-it")
    stop = config.data.stop if config.data.stop != "auto" else "<end_of_turn>" if tuned else "<eos>"
    return Layout(embedded_tokenizer(), stop=stop, kind=config.data.layout, scored=config.data.scored)


def trainable_parameters(model: Any) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def device() -> torch.device:
    """The accelerator, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def attention_of(config: ModelConfig) -> str:
    """The attention implementation that ``config`` means on this machine."""
    if config.attention != "auto":
        return config.attention
    return "sdpa" if torch.cuda.is_available() else "eager"


def embedded_tokenizer() -> PreTrainedTokenizerBase:
    """Gemma's tokenizer for transformers, rebuilt from the embedded weights."""
    built = gemma_tokenizer(get_settings()).tokenizer
    built.post_processor = TemplateProcessing(single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=built,
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def embedded_folder() -> Path:
    """The embedded weights as a transformers folder (bfloat16), unpacked from the GGUF file once (half a minute, 570 MB).

    Raises:
        JindamError: the weights are damaged or the disk is full.

    """
    gguf = embedded_weights(get_settings().weights_folder)
    folder = gguf.parent / "transformers"
    if not folder.is_dir():
        with locked(folder):
            if not folder.is_dir():
                require_space(folder.parent, 600_000_000)
                settings, weights = read_gemma(gguf)
                model = Gemma3ForCausalLM.from_pretrained(
                    None, config=Gemma3TextConfig(**settings), state_dict=weights, dtype=torch.bfloat16
                )
                with written_aside(folder) as fresh:
                    model.save_pretrained(fresh)
                    embedded_tokenizer().save_pretrained(fresh)
    return folder


def _open(source: str, config: ModelConfig) -> tuple[Any, PreTrainedTokenizerBase]:
    dtype = getattr(torch, config.dtype)
    quantization = None
    if config.quantize == "nf4":
        quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=config.double_quantize,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        tokenizer = _tokenizer(source)
        model: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, attn_implementation=attention_of(config), quantization_config=quantization
        )
    except (OSError, ValueError) as error:
        raise JindamError(
            f"모델을 열지 못했습니다: {config.base}",
            why=str(error).strip().splitlines()[0],
            fix="이름이나 폴더, 인터넷 연결을 확인하고, Gemma라면 허브에 로그인해 사용 조건에 동의해 주세요 (hf auth login). "
            "로그인 없이 쓰려면 model.base=embedded 로 해 주세요.",
        ) from error
    return (model if quantization else model.to(device())), tokenizer


@lru_cache(maxsize=4)
def _tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Read once: 262,144 tokens and their merges take seconds."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source)
    return tokenizer


def _sha256(base: str) -> str:
    """What names the weights: the files' hash for a folder, the commit for a hub id."""
    files = sorted(Path(base).glob("*.safetensors"))
    if not files:
        revision = getattr(AutoConfig.from_pretrained(base), "_commit_hash", None) or "main"
        return hashlib.sha256(f"{base}@{revision}".encode()).hexdigest()
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as source:
            digest.update(hashlib.file_digest(source, "sha256").digest())
    return digest.hexdigest()
