"""A GGUF model run in this process by llama.cpp (through xllamacpp), as a LangChain chat model.

llama.cpp batches concurrent requests over its slots. A request blocks a thread while it runs, so there are as many threads as
slots; what comes on top waits its turn there.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import queue
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr

from backend.errors import JindamError
from backend.models.adapter_manifest import require_servable
from backend.models.gemma import adapter_of, render_gemma, timed_out
from backend.models.weights import SHA256, embedded_weights
from backend.settings import Settings

_GGUF_MAGIC = b"GGUF"


class LlamaCppServer:
    """One loaded model with its slots. Thread-safe."""

    def __init__(self, model: Path, *, adapter: Path | None = None, slots: int = 8, context: int = 2048) -> None:
        """Load ``model`` (and a LoRA ``adapter``), with ``context`` tokens for each of ``slots`` concurrent requests.

        Raises:
            JindamError: a file is missing, is not GGUF, or cannot be loaded.

        """
        import xllamacpp

        for file, kind in [(model, "상담 모델"), (adapter, "LoRA 어댑터")]:
            if file is not None:
                _require_gguf(file, kind)
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        params.n_ctx = context * slots
        params.n_parallel = slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _physical_threads()
        params.warmup = False
        params.fit_params = False
        params.verbosity = -1  # its log repeats prompts, and a student's words belong in no log
        # xllamacpp always listens on a loopback port. Nobody else has business there: a key that nobody knows, no CORS, no pages.
        params.api_keys = [secrets.token_urlsafe(32)]
        params.cors_origins = ""
        params.cors_origins_explicit = True
        params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        self.slots = slots
        self.has_adapter = adapter is not None
        self.threads = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="llamacpp")
        try:
            with _python_signal_handlers_kept():
                self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise JindamError(
                "상담 모델을 열지 못했습니다.",
                why=f"llama.cpp가 {model.name}{f'와 {adapter.name}' if adapter else ''}을(를) 읽지 못했습니다.",
                fix="파일이 온전한 GGUF인지, 어댑터가 이 모델로 만든 것인지, 메모리가 남아 있는지 확인해 주세요.",
            ) from error

    def complete(self, request: dict[str, Any], on_text: Callable[[str], bool]) -> str:
        """Run one completion; ``on_text`` gets each piece of text and answers True to stop at once.

        Returns the finish reason: ``stop``, ``length`` or ``stopped`` (by ``on_text``).

        Raises:
            JindamError: llama.cpp refused the request.

        """
        finish = "stop"
        failure: BaseException | None = None

        def receive(event: dict[str, Any]) -> bool:
            nonlocal finish, failure
            # An exception cannot cross llama.cpp (it would be printed and lost), so it is carried around it.
            try:
                if "choices" not in event:
                    raise _refused(event.get("error", event))
                choice = event["choices"][0]
                finish = choice.get("finish_reason") or finish
                if choice["text"] and on_text(choice["text"]):
                    finish = "stopped"
                    return True
            except BaseException as error:
                failure = error
                return True
            return False

        self._server.handle_completions({**request, "stream": True}, receive)
        if failure is not None:
            raise failure
        return finish


class LlamaCppChat(BaseChatModel):
    """Gemma 3 through llama.cpp: sync, async, token streaming, a stop that frees the slot.

    The model is loaded on the first call. ``chat.bind(adapter_scale=0.0)`` asks the base model, ``1.0`` the tuned one, from one
    set of weights. Closing a stream (or cancelling the task that reads it) stops the generation.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model_path: Path | None = None
    """GGUF file; None means the embedded Gemma 3 270M."""
    weights_folder: Path | None = None
    """Where the embedded weights are assembled; needed only without ``model_path``."""
    adapter_path: Path | None = None
    adapter_scale: float = 1.0
    slots: int = Field(default=8, ge=1)
    context: int = Field(default=2048, ge=256)
    """Tokens of prompt and answer together, for each slot."""
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = 0.7
    top_p: float = 0.9
    repeat_penalty: float = 1.1
    repeat_last_n: int = 256
    """Tokens that the penalty looks back on. With llama.cpp's own 64 the embedded adapter repeats five words or a sentence in
    5 of 120 replies to the validation split, with 256 in none."""
    timeout_s: float = 120.0
    """Seconds from the call to the last token, waiting for a slot included."""

    _opening: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def from_settings(cls, settings: Settings) -> LlamaCppChat:
        """The model that the settings describe."""
        return cls(
            model_path=Path(settings.chat_model) if settings.chat_model else None,
            weights_folder=settings.weights_folder,
            adapter_path=adapter_of(settings),
            adapter_scale=settings.chat_adapter_scale,
            slots=settings.chat_slots,
            context=settings.chat_context,
            max_tokens=settings.chat_max_tokens,
            temperature=settings.chat_temperature,
            timeout_s=settings.chat_timeout_s,
        )

    @property
    def _llm_type(self) -> str:
        return "llamacpp-gemma"

    @cached_property
    def _loaded(self) -> LlamaCppServer:
        model = self.model_path or embedded_weights(self.weights_folder or Path.cwd())
        if self.adapter_path is not None:
            _require_gguf(self.adapter_path, "LoRA 어댑터")
            require_servable(self.adapter_path, None if self.model_path else SHA256)
        return LlamaCppServer(model, adapter=self.adapter_path, slots=self.slots, context=self.context)

    @property
    def server(self) -> LlamaCppServer:
        """The loaded model; the first caller loads it and the others wait."""
        with self._opening:
            return self._loaded

    def _request(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
        request = {
            "prompt": render_gemma(messages),
            "max_tokens": options.get("max_tokens", self.max_tokens),
            "temperature": options.get("temperature", self.temperature),
            "top_p": self.top_p,
            "repeat_penalty": self.repeat_penalty,
            "repeat_last_n": self.repeat_last_n,
            "stop": ["<start_of_turn>", "<end_of_turn>", *(stop or [])],
            # top_k first: the others then look at 40 candidates and not at a vocabulary of 262,144 (18% more tokens a second)
            "samplers": ["top_k", "penalties", "top_p", "temperature"],
            "cache_prompt": True,
        }
        for name in ("seed", "ignore_eos"):
            if name in options:
                request[name] = options[name]
        if self.server.has_adapter:
            request["lora"] = [{"id": 0, "scale": options.get("adapter_scale", self.adapter_scale)}]
        return request

    def _run(self, request: dict[str, Any], deadline: float, emit: Callable[[str], None], stopped: threading.Event) -> str:
        """Run a request to its end, its stop or its deadline; returns the finish reason."""

        def on_text(text: str) -> bool:
            emit(text)
            if time.monotonic() > deadline:
                raise timed_out(self.timeout_s)
            return stopped.is_set()

        if stopped.is_set():
            return "stopped"
        if time.monotonic() > deadline:
            raise timed_out(self.timeout_s)
        return self.server.complete(request, on_text)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces: list[str] = []
        stopped = threading.Event()
        deadline = time.monotonic() + self.timeout_s
        request = self._request(messages, stop, kwargs)
        # Not in this thread: Ctrl-C would strike inside llama.cpp's callback, where Python can only drop it.
        job = self.server.threads.submit(self._run, request, deadline, pieces.append, stopped)
        try:
            finish = job.result()
        finally:
            stopped.set()
        return _result("".join(pieces), finish)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces: list[str] = []
        stopped = threading.Event()
        deadline = time.monotonic() + self.timeout_s
        request = await asyncio.to_thread(self._request, messages, stop, kwargs)
        job = self.server.threads.submit(self._run, request, deadline, pieces.append, stopped)
        try:
            finish = await asyncio.wrap_future(job)
        finally:
            stopped.set()
        return _result("".join(pieces), finish)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        pieces: queue.SimpleQueue[str | Future[str]] = queue.SimpleQueue()
        stopped = threading.Event()
        deadline = time.monotonic() + self.timeout_s
        job = self.server.threads.submit(self._run, self._request(messages, stop, kwargs), deadline, pieces.put, stopped)
        job.add_done_callback(pieces.put)
        try:
            while isinstance(piece := pieces.get(), str):
                yield _chunk(piece, run_manager)
            yield _last_chunk(piece.result())
        finally:
            stopped.set()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | Future[str]] = asyncio.Queue()
        stopped = threading.Event()
        deadline = time.monotonic() + self.timeout_s

        def put(piece: str | Future[str]) -> None:
            if not loop.is_closed():  # a reader that is gone needs no more text
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        request = await asyncio.to_thread(self._request, messages, stop, kwargs)
        job = self.server.threads.submit(self._run, request, deadline, put, stopped)
        job.add_done_callback(put)
        try:
            while isinstance(piece := await pieces.get(), str):
                chunk = _chunk(piece, None)
                if run_manager:
                    await run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
            yield _last_chunk(piece.result())
        finally:
            stopped.set()


def _result(text: str, finish: str) -> ChatResult:
    message = AIMessage(content=text, response_metadata={"finish_reason": finish})
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(text: str, run_manager: CallbackManagerForLLMRun | None) -> ChatGenerationChunk:
    chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
    if run_manager:
        run_manager.on_llm_new_token(text, chunk=chunk)
    return chunk


def _last_chunk(finish: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(content="", response_metadata={"finish_reason": finish}, chunk_position="last")
    )


def _refused(error: dict[str, Any]) -> JindamError:
    if error.get("type") == "exceed_context_size_error":
        return JindamError(
            "글이 너무 길어 상담 모델이 한 번에 읽지 못합니다.",
            why=f"{error.get('n_prompt_tokens')} 토큰인데 {error.get('n_ctx')} 토큰까지 읽을 수 있습니다.",
            fix="글을 나누어 보내 주세요. 설치한 분은 JINDAM_CHAT_CONTEXT를 늘릴 수 있습니다.",
        )
    return JindamError(
        "상담 모델이 답을 만들지 못했습니다.",
        why=str(error.get("message", error)),
        fix="다시 시도해 주세요. 되풀이되면 jindam doctor로 상태를 확인해 주세요.",
    )


def _require_gguf(file: Path, kind: str) -> None:
    try:
        with file.open("rb") as source:
            magic = source.read(4)
    except OSError as error:
        raise JindamError(
            f"{kind} 파일을 열 수 없습니다: {file}",
            why=error.strerror or str(error),
            fix="JINDAM_CHAT_MODEL, JINDAM_CHAT_ADAPTER의 경로를 확인해 주세요.",
        ) from error
    if magic != _GGUF_MAGIC:
        raise JindamError(
            f"{kind} 파일이 GGUF가 아닙니다: {file}",
            why="파일의 첫 네 글자가 'GGUF'가 아닙니다. 내려받다 끊겼거나 다른 형식입니다.",
            fix="파일을 다시 받거나 GGUF로 바꾸어 주세요.",
        )


def _physical_threads() -> int:
    """Threads to compute with: the cores this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return max(1, available)


@contextmanager
def _python_signal_handlers_kept() -> Iterator[None]:
    """Put SIGINT and SIGTERM back after llama.cpp took them.

    Its server installs handlers of its own that end the model's loop, so that Ctrl-C would leave the program hanging on a dead
    model. ``signal.signal`` works on the main thread only; ``sigaction(2)`` works on all.
    """
    if sys.platform == "win32":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    saved = {number: ctypes.create_string_buffer(512) for number in (2, 15)}  # 512 bytes hold any platform's struct sigaction
    for number, action in saved.items():
        libc.sigaction(number, None, action)
    try:
        yield
    finally:
        for number, action in saved.items():
            libc.sigaction(number, action, None)
