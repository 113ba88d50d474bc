"""The counsellor model behind LangChain's ``BaseChatModel``: which engine, and Gemma's turn layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from backend.errors import JindamError
from backend.settings import Settings

EMBEDDED_MODEL = "gemma-3-270m-q4_k_m"
EMBEDDED_ADAPTER = Path(__file__).parents[2] / "finetune" / "adapters" / "gemma3-270m-counsel" / "adapter-f16.gguf"
"""The counselling adapter that comes with Jindam, for the embedded model alone; beside it its PEFT form and model card."""

COUNSEL_SYSTEM = "당신은 공감적이고 실질적인 진로·심리 상담사입니다. 질문에 대해 구체적이고 현실적인 조언을 제공합니다."
"""The training prompt. An adapter is trained with exactly this text, so it must not change without one."""

# Text that a tokenizer would turn into control tokens. In a message it is data, so it is dropped before rendering: nobody may
# open a turn in somebody else's name.
_CONTROL_TOKENS = re.compile(r"<(?:start_of_turn|end_of_turn|bos|eos|pad|unk|mask|unused\d+)>")


def render_gemma(messages: Sequence[BaseMessage]) -> str:
    """Lay messages out as Gemma 3's official chat template does, without the leading ``<bos>``.

    The system text goes into the first user turn, roles are ``user`` and ``model``, and the text ends where the model's
    answer begins. Source: the ``chat_template`` of google/gemma-3-1b-it.

    Raises:
        ValueError: user and assistant turns do not alternate, or there is no user turn.

    """
    system = "\n\n".join(without_control_tokens(str(message.text)) for message in messages if isinstance(message, SystemMessage))
    turns = [message for message in messages if not isinstance(message, SystemMessage)]
    if not turns or not isinstance(turns[-1], HumanMessage):
        raise ValueError("the last message must be the user's")
    parts = []
    for position, message in enumerate(turns):
        expected = HumanMessage if position % 2 == 0 else AIMessage
        if not isinstance(message, expected):
            raise ValueError(f"turn {position} should be a {expected.__name__}, not a {type(message).__name__}")
        role = "user" if expected is HumanMessage else "model"
        prefix = f"{system}\n\n" if system and position == 0 else ""
        parts.append(f"<start_of_turn>{role}\n{prefix}{without_control_tokens(str(message.text))}<end_of_turn>\n")
    return "".join(parts) + "<start_of_turn>model\n"


def without_control_tokens(text: str) -> str:
    """``text`` as data: stripped, and without anything that Gemma's tokenizer takes for a control token."""
    while _CONTROL_TOKENS.search(text):  # dropping one can join the halves of another
        text = _CONTROL_TOKENS.sub("", text)
    return text.strip()


@dataclass(frozen=True)
class Counsellor:
    """A chat model and what answers tell about it."""

    chat: BaseChatModel
    model: str
    adapter: str | None = None
    untuned: bool = False
    """It is the embedded base model, which has seen no counselling dialogue."""
    small: bool = False
    """It is the embedded 270M, tuned or not: its own words wander, so a vetted reply that fits comes first."""


def open_counsellor(settings: Settings) -> Counsellor:
    """The counsellor that the settings describe. Weights are opened on the first call, not here.

    Raises:
        JindamError: a package or a setting that the engine needs is missing.

    """
    embedded = settings.chat_engine == "llamacpp" and settings.chat_model is None
    adapter = adapter_of(settings)
    return Counsellor(
        chat=_open_chat_model(settings),
        model=EMBEDDED_MODEL if embedded else str(settings.chat_model),
        adapter=(adapter.parent.name if adapter == EMBEDDED_ADAPTER else adapter.name) if adapter else None,
        untuned=embedded and adapter is None,
        small=embedded,
    )


def adapter_of(settings: Settings) -> Path | None:
    """The adapter that the settings mean: theirs, or the shipped one for the embedded model; none where its scale is 0."""
    if settings.chat_adapter_scale == 0:
        return None
    if settings.chat_adapter is None and settings.chat_engine == "llamacpp" and settings.chat_model is None:
        return EMBEDDED_ADAPTER if EMBEDDED_ADAPTER.is_file() else None
    return settings.chat_adapter


def _open_chat_model(settings: Settings) -> BaseChatModel:
    """The chat model that the settings name.

    Raises:
        JindamError: a package or a setting that the engine needs is missing.

    """
    match settings.chat_engine:
        case "llamacpp":
            from backend.models.llamacpp_chat import LlamaCppChat

            return LlamaCppChat.from_settings(settings)
        case "transformers":
            try:
                from backend.models.transformers_chat import TransformersChat
            except ImportError as error:
                raise _missing_package("transformers", error, "hf") from error
            return TransformersChat.from_settings(settings)
        case "openai":
            try:
                from backend.models.openai_chat import EndpointChat
            except ImportError as error:
                raise _missing_package("openai", error, "openai") from error
            return EndpointChat.from_settings(settings)


def _missing_package(engine: str, error: ImportError, extra: str) -> JindamError:
    return JindamError(
        f"JINDAM_CHAT_ENGINE={engine}에 필요한 패키지가 없습니다.",
        why=f"{error.name or error}을(를) 찾지 못했습니다.",
        fix=f"pip install 'jindam[{extra}]' -c constraints.txt 로 설치해 주세요.",
    )


def timed_out(seconds: float) -> JindamError:
    """The error of an answer that took too long."""
    return JindamError(
        "상담 모델의 답이 너무 오래 걸려 멈췄습니다.",
        why=f"{seconds:.0f}초 안에 끝나지 않았습니다.",
        fix="잠시 뒤 다시 시도해 주세요. 설치한 분은 JINDAM_CHAT_TIMEOUT_S나 JINDAM_CHAT_MAX_TOKENS를 바꿀 수 있습니다.",
    )
