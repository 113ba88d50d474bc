from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import gguf
import numpy as np
import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from backend.errors import JindamError
from backend.models.llamacpp_chat import LlamaCppChat, LlamaCppServer

PROMPT = [SystemMessage("당신은 상담사입니다."), HumanMessage("진로가 고민이에요.")]
GREEDY = {"temperature": 0.0, "max_tokens": 24}


def test_invoke_stream_and_their_async_twins_agree(chat: LlamaCppChat) -> None:
    whole = chat.invoke(PROMPT, **GREEDY).text
    streamed = [chunk.text for chunk in chat.stream(PROMPT, **GREEDY)]

    async def asynchronous() -> tuple[str, str]:
        return (
            (await chat.ainvoke(PROMPT, **GREEDY)).text,
            "".join([chunk.text async for chunk in chat.astream(PROMPT, **GREEDY)]),
        )

    assert whole
    assert len(streamed) > 5
    assert "".join(streamed) == whole
    assert asyncio.run(asynchronous()) == (whole, whole)


def test_the_finish_reason_is_told(chat: LlamaCppChat) -> None:
    assert chat.invoke(PROMPT, **GREEDY).response_metadata["finish_reason"] == "length"


def _seconds_until_free(chat: LlamaCppChat) -> float:
    """How long a short answer takes when every slot is asked for at once."""
    start = time.monotonic()
    threads = [threading.Thread(target=chat.invoke, args=(PROMPT,), kwargs={"max_tokens": 1}) for _ in range(chat.server.slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


LONG = {"max_tokens": 1500, "ignore_eos": True, "temperature": 1.0}


def test_closing_a_stream_frees_the_slots(chat: LlamaCppChat) -> None:
    streams = [chat.stream(PROMPT, **LONG) for _ in range(chat.server.slots)]
    for stream in streams:
        next(stream)
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]
    assert _seconds_until_free(chat) < 8  # the eight answers would run for about a minute and a half


def test_cancelling_a_task_frees_the_slots(chat: LlamaCppChat) -> None:
    async def cancelled() -> None:
        tasks = [asyncio.create_task(chat.ainvoke(PROMPT, **LONG)) for _ in range(chat.server.slots)]
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
        assert all(isinstance(result, asyncio.CancelledError) for result in await asyncio.gather(*tasks, return_exceptions=True))

    asyncio.run(cancelled())
    assert _seconds_until_free(chat) < 8


def test_a_stop_string_ends_the_answer(chat: LlamaCppChat) -> None:
    whole = chat.invoke(PROMPT, **GREEDY).text
    word = whole.split()[2]
    with closing(chat.stream(PROMPT, stop=[word], **GREEDY)) as stream:  # type: ignore[type-var]
        assert word not in "".join(chunk.text for chunk in stream)


def test_the_deadline_is_kept(chat: LlamaCppChat) -> None:
    hasty = chat.model_copy(update={"timeout_s": 0.5})
    hasty.__dict__["_loaded"] = chat.server  # the same weights
    start = time.monotonic()
    with pytest.raises(JindamError, match="오래 걸려"):
        hasty.invoke(PROMPT, **LONG)
    assert time.monotonic() - start < 5


def test_a_prompt_over_the_context_is_told(chat: LlamaCppChat) -> None:
    with pytest.raises(JindamError, match="너무 길어") as caught:
        chat.invoke([HumanMessage("가나다라마바사" * 2000)])
    assert "JINDAM_CHAT_CONTEXT" in caught.value.fix


def test_parallel_answers_are_not_mixed_up(chat: LlamaCppChat) -> None:
    prompts = [
        [HumanMessage(f"{word}에 대해 한 문장으로 말해 주세요.")] for word in ("간호", "건축", "음악", "수학", "바다", "법")
    ]
    alone = [chat.invoke(prompt, **GREEDY).text for prompt in prompts]

    async def together() -> list[str]:
        return [message.text for message in await asyncio.gather(*(chat.ainvoke(prompt, **GREEDY) for prompt in prompts))]

    # Batched and single matrix products round differently, so that a late token may differ; the beginnings may not.
    for one, other in zip(alone, asyncio.run(together()), strict=True):
        assert one[:6] == other[:6]


def test_its_port_is_closed_to_others(chat: LlamaCppChat) -> None:
    address = chat.server._server.listening_address
    request = urllib.request.Request(
        f"{address}/v1/completions",
        data=b'{"prompt":"a","max_tokens":1}',
        headers={"Origin": "https://example.org", "Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 401
    assert not caught.value.headers.get("Access-Control-Allow-Origin")
    assert address.startswith("http://127.0.0.1:")


def test_ctrl_c_still_belongs_to_python(chat: LlamaCppChat) -> None:
    assert chat.server
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_answering_reaches_the_caller(chat: LlamaCppChat) -> None:
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT])  # as a terminal sends it: to the process
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        chat.invoke(PROMPT, **LONG)
    assert _seconds_until_free(chat) < 8


def test_what_is_no_model_is_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(JindamError, match="열 수 없습니다"):
        LlamaCppServer(tmp_path / "absent.gguf")
    (tmp_path / "page.gguf").write_bytes(b"<html>not found</html>")
    with pytest.raises(JindamError, match="GGUF가 아닙니다"):
        LlamaCppServer(tmp_path / "page.gguf")
    (tmp_path / "cut.gguf").write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(JindamError, match="열지 못했습니다"):
        LlamaCppServer(tmp_path / "cut.gguf", slots=1)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random LoRA for every layer's query projection, strong enough to change the answer."""
    file = tmp_path_factory.mktemp("adapter") / "lora.gguf"
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, "gemma3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for layer in range(18):
        writer.add_tensor(f"blk.{layer}.attn_q.weight.lora_a", random.normal(0, 0.1, (4, 640)).astype(np.float32))
        writer.add_tensor(f"blk.{layer}.attn_q.weight.lora_b", random.normal(0, 0.1, (1024, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_an_adapters_scale_is_chosen_per_request(chat: LlamaCppChat, weights: Path, adapter: Path) -> None:
    tuned = LlamaCppChat(model_path=weights, adapter_path=adapter, slots=2, context=512)
    base = chat.invoke(PROMPT, **GREEDY).text
    assert tuned.invoke(PROMPT, adapter_scale=0.0, **GREEDY).text == base
    assert tuned.invoke(PROMPT, **GREEDY).text != base
    assert tuned.bind(adapter_scale=0.0).invoke(PROMPT, **GREEDY).text == base
