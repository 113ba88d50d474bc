"""A Gemma model and a PEFT adapter run by transformers, as a LangChain chat model.

For a hub id such as ``google/gemma-3-1b-it`` or a local folder; in 4 bits on CUDA if asked. One answer at a time: a GPU server
with many users is better asked through an OpenAI-compatible endpoint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import torch
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from backend.errors import JindamError
from backend.models.adapter_manifest import require_peft, require_servable
from backend.models.gemma import adapter_of, render_gemma, timed_out
from backend.settings import Settings

_END_OF_TURN = "<end_of_turn>"


class TransformersChat(BaseChatModel):
    """Gemma through ``generate()``: sync, async, streaming word by word, a stop that ends the generation."""

    model: str
    """Hub id or folder."""
    adapter_path: Path | None = None
    load_in_4bit: bool = False
    max_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    timeout_s: float = 120.0

    _turn: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def from_settings(cls, settings: Settings) -> TransformersChat:
        """The model that the settings describe.

        Raises:
            JindamError: no model is named, or 4 bits are asked for without CUDA.

        """
        if not settings.chat_model:
            raise JindamError(
                "어떤 상담 모델을 쓸지 정해지지 않았습니다.",
                why="JINDAM_CHAT_ENGINE=transformers인데 JINDAM_CHAT_MODEL이 비어 있습니다.",
                fix="JINDAM_CHAT_MODEL=google/gemma-3-1b-it 처럼 허브 이름이나 폴더를 맞춰 주세요.",
            )
        if settings.chat_load_in_4bit and not torch.cuda.is_available():
            raise JindamError(
                "4비트로 불러올 수 없습니다.",
                why="CUDA를 쓸 수 있는 GPU가 없습니다.",
                fix="JINDAM_CHAT_LOAD_IN_4BIT를 끄거나, JINDAM_CHAT_ENGINE=llamacpp로 양자화된 GGUF를 써 주세요.",
            )
        return cls(
            model=settings.chat_model,
            adapter_path=adapter_of(settings),
            load_in_4bit=settings.chat_load_in_4bit,
            max_tokens=settings.chat_max_tokens,
            temperature=settings.chat_temperature,
            timeout_s=settings.chat_timeout_s,
        )

    @property
    def _llm_type(self) -> str:
        return "transformers-gemma"

    @cached_property
    def _loaded(self) -> tuple[Any, PreTrainedTokenizerBase]:
        # transformers and PEFT are typed in part only
        quantization: Any = (
            cast(Any, BitsAndBytesConfig)(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
            )
            if self.load_in_4bit
            else None
        )
        if self.adapter_path is not None:
            require_peft(self.adapter_path)
            require_servable(self.adapter_path, None)  # its base may be another file of the same weights
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.model)
            model: Any = AutoModelForCausalLM.from_pretrained(
                self.model,
                dtype=torch.bfloat16,
                use_safetensors=True,  # a pickle can run code
                quantization_config=quantization,
                device_map="auto" if torch.cuda.is_available() else None,
            )
            if self.adapter_path is not None:
                from peft import PeftModel

                model = PeftModel.from_pretrained(model, str(self.adapter_path))
        except (OSError, ValueError) as error:
            raise JindamError(
                f"상담 모델을 열지 못했습니다: {self.model}{f' + {self.adapter_path}' if self.adapter_path else ''}",
                why=str(error).strip().splitlines()[0],
                fix="이름이나 폴더, 인터넷 연결, (Gemma라면) 허브 로그인과 사용 동의를 확인해 주세요.",
            ) from error
        model.eval()
        return model, tokenizer

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(chunk.text for chunk in self._stream(messages, stop, run_manager, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with self._turn:
            model, tokenizer = self._loaded
        deadline = time.monotonic() + self.timeout_s
        stopped = threading.Event()
        failures: list[BaseException] = []
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        temperature = kwargs.get("temperature", self.temperature)
        generate = partial(
            model.generate,
            **tokenizer(render_gemma(messages), return_tensors="pt").to(model.device),
            streamer=streamer,
            max_new_tokens=kwargs.get("max_tokens", self.max_tokens),
            stop_strings=[_END_OF_TURN, *(stop or [])],
            tokenizer=tokenizer,
            stopping_criteria=StoppingCriteriaList([_StopWhen(stopped, deadline)]),
            do_sample=temperature > 0,
            **({"temperature": temperature, "top_p": self.top_p} if temperature > 0 else {}),
        )

        def run() -> None:
            try:
                with self._turn, torch.inference_mode():
                    generate()
            except Exception as error:
                failures.append(error)
                cast(Any, streamer).end()  # or the reader would wait for ever

        worker = threading.Thread(target=run, name="transformers-chat", daemon=True)
        worker.start()
        try:
            for text in streamer:
                if text:
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=text.replace(_END_OF_TURN, "")))
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        finally:
            stopped.set()
        worker.join()
        if failures:
            raise failures[0]
        if time.monotonic() > deadline:
            raise timed_out(self.timeout_s)


class _StopWhen(StoppingCriteria):
    """Ends a generation at its stop flag or its deadline."""

    def __init__(self, stopped: threading.Event, deadline: float) -> None:
        self._stopped = stopped
        self._deadline = deadline

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        stop = self._stopped.is_set() or time.monotonic() > self._deadline
        return torch.full((input_ids.shape[0],), stop, dtype=torch.bool, device=input_ids.device)
