"""A chat model behind any OpenAI-compatible URL (vLLM, Ollama, llama.cpp's server), with errors a person can act on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import openai
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from backend.errors import JindamError
from backend.models.gemma import timed_out
from backend.settings import Settings


class EndpointChat(ChatOpenAI):
    """``ChatOpenAI`` whose failures say which endpoint failed and what to check."""

    @classmethod
    def from_settings(cls, settings: Settings) -> EndpointChat:
        """The endpoint that the settings name.

        Raises:
            JindamError: the address or the model's name is missing.

        """
        if not settings.chat_base_url or not settings.chat_model:
            raise JindamError(
                "OpenAI 호환 서버에 연결할 수 없습니다.",
                why="서버 주소나 모델 이름이 설정되지 않았습니다.",
                fix="JINDAM_CHAT_BASE_URL(예: http://127.0.0.1:8000/v1)과 JINDAM_CHAT_MODEL을 맞춰 주세요.",
            )
        return cls(
            model=settings.chat_model,
            base_url=settings.chat_base_url,
            api_key=settings.chat_api_key or "none",  # servers on one's own machine often want no key, the client always one
            temperature=settings.chat_temperature,
            max_completion_tokens=settings.chat_max_tokens,
            timeout=settings.chat_timeout_s,
            max_retries=1,
        )

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with self._told():
            return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with self._told():
            return await super()._agenerate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with self._told():
            yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        with self._told():
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except openai.APITimeoutError as error:
            raise timed_out(float(str(self.request_timeout))) from error
        except openai.APIConnectionError as error:
            raise JindamError(
                f"상담 모델 서버에 연결하지 못했습니다: {self.openai_api_base}",
                why="서버가 꺼져 있거나 주소가 다르거나 네트워크가 막혀 있습니다.",
                fix="서버가 켜져 있는지, JINDAM_CHAT_BASE_URL이 맞는지 확인해 주세요.",
            ) from error
        except openai.APIStatusError as error:
            raise JindamError(
                f"상담 모델 서버가 요청을 거절했습니다: {self.openai_api_base}",
                why=f"HTTP {error.status_code}",
                fix="JINDAM_CHAT_MODEL의 이름과 JINDAM_CHAT_API_KEY를 확인해 주세요.",
            ) from error
