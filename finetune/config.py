"""What a training run is: a YAML file and what ``--set`` changes in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import JindamError

CONFIGS = Path(__file__).parent / "configs"
"""The configurations that come with Jindam, one a published recipe."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(_Section):
    """The base model."""

    base: str = Field("embedded", description="'embedded' (Gemma 3 270M, no login), a hub id, or a folder")
    dtype: Literal["float32", "bfloat16"] = Field(
        "bfloat16", description="precision of the frozen weights and of the activations"
    )
    quantize: Literal["none", "nf4"] = Field("none", description="nf4: the base in 4 bits (QLoRA)")
    double_quantize: bool = Field(True, description="nf4: the quantisation constants are quantised too")
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = Field(
        "auto", description="auto: eager on a CPU (Gemma 3 270M has one key-value head: a single product), sdpa on a GPU"
    )


class DataConfig(_Section):
    """The dialogues and how they are laid out."""

    train: Path = Field(Path("data/counseling/train.jsonl"), description="rows to learn")
    validation: Path | None = Field(
        Path("data/counseling/validation.jsonl"), description="held-out rows that choose the checkpoint"
    )
    limit: int | None = Field(None, ge=1, description="only so many rows of the training file, evenly spaced through it")
    validation_limit: int | None = Field(None, ge=1, description="the same for the held-out file")
    layout: Literal["gemma", "seed"] = Field(
        "gemma", description="gemma: the official template; seed: system/user/assistant turns"
    )
    scored: Literal["replies", "everything"] = Field("replies", description="which tokens the loss counts")
    stop: Literal["auto", "<eos>", "<end_of_turn>"] = Field(
        "auto", description="the token that ends a reply; auto: <end_of_turn> where the base has learnt it, else <eos>"
    )
    max_tokens: int = Field(2048, ge=16, description="longest row")
    too_long: Literal["refuse", "drop"] = Field("refuse", description="what becomes of longer rows; they are never cut")
    pad_to: int | None = Field(
        None, ge=1, description="pad every row to a multiple of this; none: no row is padded beyond its batch"
    )


class AdapterConfig(_Section):
    """The adapter."""

    rank: int = Field(32, ge=1)
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        min_length=1,
        description="adapted projections",
    )
    top_layers: int | None = Field(None, ge=1, description="adapt only so many of the uppermost layers; none: all")


class TrainConfig(_Section):
    """The optimisation."""

    output: Path = Field(Path("runs/counsel"), description="folder for checkpoints, metrics, and the adapter")
    seed: int = 0
    epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1, description="stop after so many updates, whatever the epochs")
    batch_size: int = Field(1, ge=1, description="rows a device takes at once")
    accumulation: int = Field(8, ge=1, description="batches an update is made of")
    lr: float = Field(1e-3, gt=0, description="peak learning rate")
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the updates in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    optimizer: Literal["adamw_torch_fused", "adamw_torch", "paged_adamw_32bit"] = "adamw_torch_fused"
    checkpointing: bool = Field(False, description="compute activations twice to keep fewer (a third slower)")
    packing: bool = Field(False, description="several rows in one sequence of max_tokens, each blind to the others (GPU)")
    head: Literal["scored", "full"] = Field("scored", description="full: logits of every position, as plain transformers does")
    evaluations_per_epoch: float = Field(2, gt=0, description="held-out losses, each with a checkpoint")
    stop_on: Literal["held_out", "train_loss", "never"] = Field("held_out", description="which loss ends the run early")
    patience: int = Field(3, ge=1, description="evaluations (train_loss: log lines) without a better loss")
    min_delta: float = Field(0.0, ge=0, description="how much better counts as better")
    logging_steps: int = Field(5, ge=1)
    keep: int = Field(2, ge=1, description="checkpoints kept, the best one among them")
    threads: int | None = Field(None, ge=1, description="CPU threads; none: every core")


class Config(_Section):
    """A whole run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    lora: AdapterConfig = AdapterConfig()
    train: TrainConfig = TrainConfig()


def load_config(source: str | Path, overrides: Iterable[str] = ()) -> Config:
    """The configuration in a YAML file, or the one that comes with Jindam under that name, with ``section.key=value`` overrides.

    Raises:
        JindamError: there is no such file, it is no YAML, a key is unknown (the nearest known one is suggested), or a value
            cannot be used.

    """
    file = _find(source)
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise JindamError(f"설정 파일을 읽을 수 없습니다: {file}", why=str(error), fix="YAML 문법을 확인해 주세요.") from error
    if not isinstance(tree, dict):
        raise JindamError(
            f"설정 파일을 읽을 수 없습니다: {file}",
            why="'구역: {이름: 값}' 꼴이 아닙니다.",
            fix=f"{CONFIGS}의 파일을 보고 고쳐 주세요.",
        )
    for override in overrides:
        _override(tree, override)
    return config_of(tree, file.name)


def config_of(tree: dict[str, Any], name: str = "설정") -> Config:
    """The configuration of plain data, as a YAML file or a checkpoint holds it.

    Raises:
        JindamError: a key is unknown or a value cannot be used.

    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise _refused(error, name) from error


def _find(source: str | Path) -> Path:
    known = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    for candidate in (Path(source), CONFIGS / f"{source}.yaml"):
        if candidate.is_file():
            return candidate
    near = difflib.get_close_matches(Path(source).stem, known, n=1)
    raise JindamError(
        f"설정 파일이 없습니다: {source}",
        why="그런 파일도, 그런 이름으로 함께 오는 설정도 없습니다.",
        fix=f"{near[0]}을(를) 찾으셨나요? " * bool(near) + f"함께 오는 설정: {', '.join(known)}",
    )


def _override(tree: dict[str, Any], override: str) -> None:
    path, sign, value = override.partition("=")
    keys = path.strip().split(".")
    if not sign or len(keys) != 2:
        raise JindamError(
            f"--set {override}을(를) 읽을 수 없습니다.", why="'구역.이름=값' 꼴이 아닙니다.", fix="예: --set train.lr=1e-3"
        )
    section = tree.setdefault(keys[0], {})
    if isinstance(section, dict):
        section[keys[1]] = yaml.safe_load(value)


def _refused(error: ValidationError, name: str) -> JindamError:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return JindamError(
            f"{name}: {'.'.join(where)}의 값을 쓸 수 없습니다: {first['input']!r}", why=first["msg"], fix="값을 고쳐 주세요."
        )
    known = _names(where[:-1])
    near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
    return JindamError(
        f"{name}: 모르는 이름입니다: {'.'.join(where)}",
        why=f"{'.'.join(where[:-1]) or '설정'}에는 {', '.join(known)}이(가) 있습니다.",
        fix=f"{'.'.join([*where[:-1], near[0]])}을(를) 쓰려던 것인가요?" if near else "이름을 고치거나 지워 주세요.",
    )


def _names(path: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        annotation = model.model_fields[part].annotation
        assert isinstance(annotation, type)
        model = annotation
    return list(model.model_fields)
