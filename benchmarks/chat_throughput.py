"""Tokens per second of our chat model against bare xllamacpp and the transformers pipeline, in one run.

Every contestant answers the same prompts with the same number of tokens, one stream and eight at a time; rounds alternate, and
the median round counts. Run with ``make bench``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_core.messages import HumanMessage, SystemMessage

from backend.LangGraph.prompts import COUNSEL_SYSTEM
from backend.models.gemma import render_gemma
from backend.models.llamacpp_chat import LlamaCppChat
from backend.models.weights import embedded_weights
from backend.settings import get_settings

TOKENS = 96
ROUNDS = 5
WORRIES = ("성적", "꿈", "부모님", "시험", "친구", "졸업", "전과", "취업")
MESSAGES = [[SystemMessage(COUNSEL_SYSTEM.text), HumanMessage(f"{worry} 때문에 마음이 복잡해요.")] for worry in WORRIES]
OPTIONS = {"max_tokens": TOKENS, "temperature": 0.7, "ignore_eos": True}

_SAME_LENGTH = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": True, "temperature": 0.7}

Answer = Callable[[int], None]


def rate(answer: Answer, streams: int) -> float:
    """Tokens per second over ``streams`` answers at the same time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(answer, range(streams)))
    return streams * TOKENS / (time.perf_counter() - start)


def llamacpp(weights: Path) -> tuple[Answer, Answer, Answer]:
    """Bare xllamacpp, our ``invoke`` and our ``stream``, all three over one loaded model."""
    chat = LlamaCppChat(model_path=weights)
    server = chat.server._server

    def bare(n: int) -> None:
        request = chat._request(MESSAGES[n], None, OPTIONS)
        server.handle_completions({**request, "stream": True}, lambda _: False)

    def ours(n: int) -> None:
        chat.invoke(MESSAGES[n], **OPTIONS)

    def streamed(n: int) -> None:
        for _ in chat.stream(MESSAGES[n], **OPTIONS):
            pass

    return bare, ours, streamed


def transformers_rate(weights: Path, streams: int) -> float:
    """The text-generation pipeline over the same weights, dequantised; each stream a call of its own, as chats come."""
    pipe = _pipeline(weights)

    def answer(n: int) -> None:
        pipe(render_gemma(MESSAGES[n]), **_SAME_LENGTH)

    return rate(answer, streams)


def transformers_batch_rate(weights: Path, streams: int) -> float:
    """The same pipeline given all prompts at once: what it could do if chats arrived and ended together."""
    pipe = _pipeline(weights)
    start = time.perf_counter()
    pipe([render_gemma(messages) for messages in MESSAGES[:streams]], batch_size=streams, **_SAME_LENGTH)
    return streams * TOKENS / (time.perf_counter() - start)


def _pipeline(weights: Path):  # type: ignore[no-untyped-def]
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    if not hasattr(_pipeline, "made"):
        tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
        model = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.bfloat16)
        model.hf_quantizer.remove_quantization_config(model)
        with tempfile.TemporaryDirectory() as folder:  # only a saved and read model is a plain bf16 one
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            _pipeline.made = pipeline("text-generation", model=folder, dtype=torch.bfloat16)  # type: ignore[attr-defined]
    return _pipeline.made  # type: ignore[attr-defined]


def main() -> None:
    """Print the medians and the ratios."""
    weights = embedded_weights(get_settings().weights_folder)
    contestants = dict(zip(("bare xllamacpp", "ours, invoke", "ours, stream"), llamacpp(weights), strict=True))
    result: dict[str, dict[str, float]] = {}
    for streams in (1, 8):
        rounds: dict[str, list[float]] = {name: [] for name in contestants}
        for answer in contestants.values():
            rate(answer, streams)  # warm-up: prompts are in the cache from here on
        for _ in range(ROUNDS):
            for name, answer in contestants.items():
                rounds[name].append(rate(answer, streams))
        medians = {name: statistics.median(rates) for name, rates in rounds.items()}
        transformers_rate(weights, 1)  # warm-up
        medians["transformers pipeline"] = transformers_rate(weights, streams)
        medians["transformers, one batch"] = transformers_batch_rate(weights, streams)
        result[f"{streams} stream{'s' if streams > 1 else ''}"] = {
            **{name: round(median, 1) for name, median in medians.items()},
            "ours / bare": round(medians["ours, invoke"] / medians["bare xllamacpp"], 3),
            "stream / bare": round(medians["ours, stream"] / medians["bare xllamacpp"], 3),
            "ours / transformers": round(medians["ours, invoke"] / medians["transformers pipeline"], 2),
            "ours / one batch": round(medians["ours, invoke"] / medians["transformers, one batch"], 2),
        }
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
