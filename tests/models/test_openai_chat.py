from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from backend.errors import JindamError
from backend.models.gemma import open_counsellor
from backend.settings import Settings


@pytest.fixture(scope="module")
def endpoint(weights: Path) -> str:
    """llama.cpp's own OpenAI-compatible server, over the embedded weights."""
    import xllamacpp

    from backend.models.llamacpp_chat import _python_signal_handlers_kept

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = 1024
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.use_jinja = False
    params.chat_template = "gemma"
    params.api_keys = ["test-key"]
    with _python_signal_handlers_kept():
        server = xllamacpp.Server(params)
    endpoint.server = server  # type: ignore[attr-defined]
    return f"{server.listening_address}/v1"


def test_any_openai_compatible_url_answers(endpoint: str) -> None:
    counsellor = open_counsellor(
        Settings(
            chat_engine="openai",
            chat_base_url=endpoint,
            chat_model="gemma",
            chat_api_key="test-key",  # type: ignore[arg-type]
            chat_max_tokens=8,
        )
    )
    assert counsellor.chat.invoke([HumanMessage("안녕하세요")]).text
    assert "".join(chunk.text for chunk in counsellor.chat.stream([HumanMessage("안녕하세요")]))
    assert not counsellor.untuned


def test_a_wrong_key_and_a_closed_port_are_told(endpoint: str) -> None:
    wrong = Settings(chat_engine="openai", chat_base_url=endpoint, chat_model="gemma", chat_api_key="no")  # type: ignore[arg-type]
    with pytest.raises(JindamError, match="거절") as caught:
        open_counsellor(wrong).chat.invoke([HumanMessage("안녕")])
    assert "401" in caught.value.why
    closed = Settings(chat_engine="openai", chat_base_url="http://127.0.0.1:9/v1", chat_model="gemma")
    with pytest.raises(JindamError, match="연결하지"):
        list(open_counsellor(closed).chat.stream([HumanMessage("안녕")]))
    with pytest.raises(JindamError, match="연결하지"):
        asyncio.run(open_counsellor(closed).chat.ainvoke([HumanMessage("안녕")]))
