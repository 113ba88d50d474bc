from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from backend.errors import JindamError
from backend.models.gemma import render_gemma
from backend.models.llamacpp_chat import LlamaCppChat
from backend.models.transformers_chat import TransformersChat
from backend.settings import Settings

PROMPT = [HumanMessage("진로가 고민이에요.")]
GREEDY = {"temperature": 0.0, "max_tokens": 8}


@pytest.fixture(scope="module")
def folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded weights, dequantised into a folder that transformers reads."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    target = tmp_path_factory.mktemp("gemma-3-270m")
    model = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.bfloat16)
    model.hf_quantizer.remove_quantization_config(model)
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random PEFT adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    target = tmp_path_factory.mktemp("adapter")
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16), config).save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformersChat:
    return TransformersChat(model=str(folder))


def test_it_reads_the_prompt_as_llamacpp_does(model: TransformersChat, chat: LlamaCppChat) -> None:
    import torch

    loaded, tokenizer = model._loaded
    inputs = tokenizer(render_gemma(PROMPT), return_tensors="pt")
    with torch.inference_mode():
        logits = loaded(**inputs).logits[0, -1]
    likely = {tokenizer.decode(token) for token in logits.topk(5).indices}

    request = {"prompt": render_gemma(PROMPT), "max_tokens": 1, "temperature": 0.0, "logprobs": 5}
    answer = chat.server._server.handle_completions(request)
    first = answer["choices"][0]["logprobs"]["content"][0]
    assert answer["usage"]["prompt_tokens"] == inputs.input_ids.shape[1]  # one <bos>, no more
    assert len(likely & {token["token"] for token in first["top_logprobs"]}) >= 4  # bf16 rounds the fifth away


def test_sync_async_and_streaming_agree(model: TransformersChat) -> None:
    whole = model.invoke(PROMPT, **GREEDY).text
    assert whole
    assert "".join(chunk.text for chunk in model.stream(PROMPT, **GREEDY)) == whole
    assert asyncio.run(model.ainvoke(PROMPT, **GREEDY)).text == whole


def test_an_adapter_changes_the_answer(model: TransformersChat, folder: Path, adapter: Path) -> None:
    tuned = TransformersChat(model=str(folder), adapter_path=adapter)
    assert tuned.invoke(PROMPT, **GREEDY).text != model.invoke(PROMPT, **GREEDY).text


def test_closing_a_stream_stops_the_generation(model: TransformersChat) -> None:
    stream = model.stream(PROMPT, temperature=1.0, max_tokens=1500)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    start = time.monotonic()
    model.invoke(PROMPT, temperature=0.0, max_tokens=1)  # waits its turn
    assert time.monotonic() - start < 10


def test_the_deadline_is_kept(folder: Path) -> None:
    hasty = TransformersChat(model=str(folder), timeout_s=0.3)
    _ = hasty._loaded
    with pytest.raises(JindamError, match="오래 걸려"):
        hasty.invoke(PROMPT, temperature=1.0, max_tokens=1500)


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="열지 못했습니다"):
        TransformersChat(model=str(tmp_path / "absent")).invoke(PROMPT)


def test_four_bits_without_cuda_are_refused(folder: Path) -> None:
    settings = Settings(chat_engine="transformers", chat_model=str(folder), chat_load_in_4bit=True)
    with pytest.raises(JindamError, match="4비트"):
        TransformersChat.from_settings(settings)
