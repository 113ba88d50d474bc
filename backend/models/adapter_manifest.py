"""What an adapter was made of and what it looks like, in ``manifest.json`` beside it.

It keeps an adapter from being put on another base, asked in another layout, or served after somebody changed its files. An
adapter without a manifest comes from elsewhere: only its format can be looked at.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.errors import JindamError
from backend.models.gemma import render_gemma

FILE_NAME = "manifest.json"
_CONFIG = "adapter_config.json"
_PEFT_WEIGHTS = "adapter_model.safetensors"
"""Numbers and nothing that runs; a pickle is never opened."""
_LIBRARIES = ("torch", "transformers", "peft", "trl")


class Manifest(BaseModel):
    """The record beside an adapter."""

    model_config = ConfigDict(frozen=True)

    base: str
    hub_name: str
    """The base as transformers users know it."""
    base_sha256: str
    template_sha256: str
    """Of the text that the layout puts around a fixed dialogue; see ``finetune.template.Layout.sha256``."""
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
    files: dict[str, str] = {}
    """SHA-256 of each file that makes the adapter."""
    made: str = ""
    libraries: dict[str, str] = {}

    def write(self, folder: Path, *lora_files: str) -> None:
        """Put it beside the adapter in ``folder``, with the hashes of its PEFT files, where they are there, and of LoRA files."""
        names = [name for name in (*lora_files, _CONFIG, _PEFT_WEIGHTS) if (folder / name).is_file()]
        told = self.model_copy(update={"files": {name: _sha256(folder / name) for name in names}})
        (folder / FILE_NAME).write_text(told.model_dump_json(indent=1) + "\n", encoding="utf-8")


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


def require_peft(folder: Path) -> None:
    """Refuse what is not a PEFT adapter with its weights in safetensors.

    Raises:
        JindamError: a file is missing.

    """
    for name in (_CONFIG, _PEFT_WEIGHTS):
        if not (folder / name).is_file():
            raise JindamError(
                f"어댑터가 없습니다: {folder}",
                why=f"{name}이 없습니다. 가중치는 safetensors만 엽니다(.bin 파일은 열 때 코드를 실행할 수 있습니다).",
                fix="학습이 끝난 폴더 안의 adapter 폴더를 적어 주세요.",
            )


def require_unchanged(adapter: Path, base_sha256: str | None) -> Manifest | None:
    """The manifest beside an adapter (a PEFT folder or a LoRA GGUF file), if it is what the manifest says; None without one.

    ``base_sha256``: of the base that it is put on; None where that cannot be compared.

    Raises:
        JindamError: it is not there, a file is not the recorded one, or it was trained on another base.

    """
    if not adapter.exists():
        raise JindamError(
            f"어댑터를 찾을 수 없습니다: {adapter}",
            why="그런 파일이나 폴더가 없습니다.",
            fix="JINDAM_CHAT_ADAPTER의 경로를 확인해 주세요.",
        )
    folder = adapter if adapter.is_dir() else adapter.parent
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    used = [_CONFIG, _PEFT_WEIGHTS] if adapter.is_dir() else [adapter.name]
    for name in used if manifest.files else []:
        if not (folder / name).is_file() or manifest.files.get(name) != _sha256(folder / name):
            raise JindamError(
                f"어댑터의 파일이 기록과 다릅니다: {folder / name}",
                why=f"{FILE_NAME}에 적힌 SHA-256과 맞지 않습니다. 만든 뒤에 누군가 바꾸었거나 내려받다 손상되었습니다.",
                fix="믿을 수 있는 곳에서 다시 받거나, python -m finetune export로 다시 만들어 주세요.",
            )
    if base_sha256 is not None and manifest.base_sha256 != base_sha256:
        raise JindamError(
            "어댑터와 모델이 맞지 않습니다.",
            why=f"이 어댑터는 {manifest.base} ({manifest.base_sha256[:12]})로 만들었는데, 연 모델은 {base_sha256[:12]}입니다.",
            fix=f"{manifest.base}의 같은 판이나 이 모델로 만든 어댑터를 써 주세요(학습은 model.base, 상담은 JINDAM_CHAT_MODEL).",
        )
    return manifest


def require_servable(adapter: Path, base_sha256: str | None) -> Manifest | None:
    """The same for the graph, which asks every model in Gemma's own layout.

    Raises:
        JindamError: as above, or the adapter learnt another layout.

    """
    manifest = require_unchanged(adapter, base_sha256)
    if manifest is not None and manifest.template_sha256 != template_sha256(manifest.stop):
        raise JindamError(
            f"어댑터가 배운 대화 형식이 상담에서 쓰는 형식과 다릅니다: {adapter}",
            why=f"이 어댑터는 {manifest.layout} 형식으로 학습했습니다. 다른 형식으로 물으면 엉뚱한 답이 나옵니다.",
            fix="data.layout=gemma로 학습한 어댑터를 써 주세요.",
        )
    return manifest


def template_sha256(stop: str) -> str:
    """The hash of what the graph's layout makes of a fixed dialogue, and of the token that ends a reply."""
    dialogue = render_gemma([SystemMessage("가"), HumanMessage("나"), AIMessage("다"), HumanMessage("라")])
    return sha256_of_text(f"{dialogue}마<end_of_turn>\n{stop}")


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Hexadecimal SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()
