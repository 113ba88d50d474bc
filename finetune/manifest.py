"""What an adapter was made of, in ``manifest.json`` beside it, so that it is never put on another base."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.errors import JindamError

FILE_NAME = "manifest.json"
_LIBRARIES = ("torch", "transformers", "peft", "trl")


class Manifest(BaseModel):
    """The record beside an adapter."""

    model_config = ConfigDict(frozen=True)

    base: str
    hub_name: str
    """The base as transformers users know it."""
    base_sha256: str
    template_sha256: str
    """Of the text that the layout puts around a fixed dialogue; see :func:`template_sha256`."""
    layout: Literal["gemma", "seed"]
    stop: Literal["<eos>", "<end_of_turn>"]
    """The token that ends a reply."""
    tokenizer_sha256: str
    train_sha256: str
    validation_sha256: str | None = None
    rows: int
    config: dict[str, Any]
    result: dict[str, Any] = {}
    """The held-out losses and the steps of the run."""
    made: str = ""
    libraries: dict[str, str] = {}

    def write(self, folder: Path) -> None:
        """Put it beside the adapter in ``folder``."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def now_and_with_what() -> dict[str, Any]:
    """The fields that say when and with which libraries."""
    return {
        "made": datetime.now(UTC).date().isoformat(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in ``folder``; none if the adapter comes from elsewhere.

    Raises:
        JindamError: it is there and cannot be read.

    """
    file = folder / FILE_NAME
    if not file.is_file():
        return None
    try:
        return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise JindamError(
            f"어댑터의 기록을 읽을 수 없습니다: {file}",
            why=str(error).splitlines()[0],
            fix="어댑터를 다시 받거나 다시 만들어 주세요.",
        ) from error


def require_base(folder: Path, base_sha256: str) -> Manifest | None:
    """The manifest in ``folder``, if the adapter belongs to the base with this hash.

    Raises:
        JindamError: there is no adapter, or it was trained on another base.

    """
    if not (folder / "adapter_config.json").is_file():
        raise JindamError(
            f"어댑터가 없습니다: {folder}",
            why="adapter_config.json이 없습니다.",
            fix="학습이 끝난 폴더 안의 adapter 폴더를 적어 주세요.",
        )
    manifest = read_manifest(folder)
    if manifest is not None and manifest.base_sha256 != base_sha256:
        raise JindamError(
            "어댑터와 모델이 맞지 않습니다.",
            why=f"이 어댑터는 {manifest.base} ({manifest.base_sha256[:12]})로 만들었는데, 연 모델은 {base_sha256[:12]}입니다.",
            fix=f"model.base를 {manifest.base}의 같은 판으로 맞춰 주세요.",
        )
    return manifest


def sha256_of_text(text: str) -> str:
    """Hexadecimal SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()
