"""Talking to an adapter, and to the base beside it: the seed's ``infer_ft`` and ``infer_base``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.errors import JindamError
from backend.models.adapter_manifest import Manifest, read_manifest
from backend.models.gemma import COUNSEL_SYSTEM
from backend.models.llamacpp_chat import LlamaCppChat
from finetune.config import ModelConfig
from finetune.data import Message
from finetune.generate import Prompts, Reply, generated_replies, served_chat, served_replies
from finetune.gguf_files import write_lora
from finetune.loss import add_scored_head
from finetune.model import EMBEDDED, Base, open_adapter, open_base
from finetune.progress import Advance, silent
from finetune.template import Layout

SIDES = ("base", "tuned")


class Pair:
    """A base and its adapter, asked side by side."""

    def __init__(self, adapter: str, *, model: ModelConfig | None = None, layout: Layout | None = None) -> None:
        """``adapter`` is a PEFT folder or a hub id; ``model`` is asked for only where the adapter does not say its base.

        Raises:
            JindamError: adapter or base cannot be had, or they do not belong together.

        """
        self.folder = _folder_of(adapter)
        manifest = read_manifest(self.folder)
        model = model or _model_of(manifest, self.folder)
        self.base: Base = open_base(model)
        add_scored_head(self.base.model)
        self.model: Any = open_adapter(self.base, self.folder).eval()
        self.layout = layout or Layout(
            self.base.tokenizer,
            stop=manifest.stop if manifest else self.base.stop,
            kind=manifest.layout if manifest else "gemma",
        )
        self._files = tempfile.TemporaryDirectory()
        self._chats: dict[tuple[str, int, float], LlamaCppChat] = {}
        self._served = model.base == EMBEDDED and self.layout.kind == "gemma"

    @contextmanager
    def opened(self, side: str) -> Iterator[Any]:
        """The model as ``base`` (adapter off) or as ``tuned``."""
        if side == "tuned":
            yield self.model
        else:
            with self.model.disable_adapter():
                yield self.model

    def replies(
        self,
        side: str,
        prompts: Prompts,
        *,
        max_new_tokens: int = 512,
        temperature: float = 0.7,
        seed: int = 0,
        advance: Advance = silent,
    ) -> list[Reply]:
        """What this side answers, as ``finetune.generate`` has it."""
        if self._served:
            chat = self._chat(side, max_new_tokens, temperature)
            return served_replies(chat, prompts, seed=seed, advance=advance)
        with self.opened(side) as model:
            return generated_replies(
                model,
                self.layout,
                prompts,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                advance=advance,
            )

    def _chat(self, side: str, max_new_tokens: int, temperature: float) -> LlamaCppChat:
        """The engine of one side, loaded once."""
        key = (side, max_new_tokens, temperature)
        if key not in self._chats:
            lora = None
            if side == "tuned":
                lora = Path(self._files.name) / "lora.gguf"
                write_lora(self.folder, lora)
            self._chats[key] = served_chat(lora, max_new_tokens=max_new_tokens, temperature=temperature)
        return self._chats[key]


def infer(pair: Pair, side: str, question: str, history: Sequence[Message] = (), **options: Any) -> str:
    """One answer to one question, after ``history``, under the counselling system text."""
    prompt = [Message(role="system", content=COUNSEL_SYSTEM), *history, Message(role="user", content=question)]
    return pair.replies(side, [prompt], **options)[0].text


def _folder_of(adapter: str) -> Path:
    folder = Path(adapter)
    if folder.exists() or adapter.count("/") != 1:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(adapter, allow_patterns=["*.json", "*.safetensors"]))
    except Exception as error:  # the hub client raises its own, requests' and the operating system's errors
        raise JindamError(
            f"어댑터를 찾을 수 없습니다: {adapter}",
            why=f"그런 폴더가 없고, 허브에서도 받지 못했습니다: {str(error).strip().splitlines()[0]}",
            fix="폴더 경로나 허브 이름(사용자/이름)과 인터넷 연결을 확인해 주세요.",
        ) from error


def _model_of(manifest: Manifest | None, folder: Path) -> ModelConfig:
    if manifest is not None:
        return ModelConfig(base=manifest.config["model"]["base"])
    try:
        named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise JindamError(
            f"어댑터가 없습니다: {folder}",
            why="adapter_config.json을 읽을 수 없습니다.",
            fix="학습이 끝난 폴더 안의 adapter 폴더를 적어 주세요.",
        ) from error
    return ModelConfig(base=named)
