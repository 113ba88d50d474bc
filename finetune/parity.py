"""Do an exported file and the model that was trained say the same? Compared at the places where replies are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from backend.models.llamacpp_chat import LlamaCppServer
from finetune.progress import Advance, silent
from finetune.template import IGNORED, Encoded

TOP = 200
"""Candidates that llama.cpp is asked for at each place; on Gemma they hold more than .95 of the probability."""


def agreement(
    model: Any,
    server: LlamaCppServer,
    rows: Sequence[Encoded],
    *,
    positions: int = 500,
    lora: bool = False,
    advance: Advance = silent,
) -> dict[str, float]:
    """How alike a transformers model and a llama.cpp server are at the first ``positions`` scored places of ``rows``.

    Returns ``positions``, ``same_top`` (share of places with the same likeliest token) and ``mean_kl`` (nats, of llama.cpp's
    :data:`TOP` candidates and of the rest as one: a lower bound of the whole divergence).
    """
    same = 0
    divergences: list[float] = []
    for row in rows:
        places = [place - 1 for place, label in enumerate(row.labels) if label != IGNORED][: positions - len(divergences)]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([row.input_ids]), use_cache=False).logits[0].float()
        for place in places:
            ours = logits[place].log_softmax(-1)
            theirs = _candidates(server, row.input_ids[: place + 1], lora=lora)
            same += int(ours.argmax()) == max(theirs, key=lambda token: theirs[token])
            divergences.append(_divergence(theirs, ours))
            advance(len(divergences), positions)
        if len(divergences) == positions:
            break
    return {
        "positions": len(divergences),
        "same_top": round(same / len(divergences), 4),
        "mean_kl": round(float(np.mean(divergences)), 5),
    }


def _candidates(server: LlamaCppServer, ids: list[int], *, lora: bool) -> dict[int, float]:
    """Token → natural logarithm of its probability, the likeliest :data:`TOP`."""
    found: dict[int, float] = {}

    def keep(event: dict[str, Any]) -> bool:
        for choice in event.get("choices", []):
            for place in ((choice.get("logprobs") or {}).get("content") or [])[:1]:
                found.update({entry["id"]: entry["logprob"] for entry in place["top_logprobs"]})
        return False

    request = {
        "prompt": ids,
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": TOP,
        "n_probs": TOP,
        "cache_prompt": True,
        "stream": True,
    }
    if lora:
        request["lora"] = [{"id": 0, "scale": 1.0}]
    server._server.handle_completions(request, keep)
    return found


def _divergence(theirs: dict[int, float], ours: torch.Tensor) -> float:
    tokens = torch.tensor(list(theirs))
    p = np.array(list(theirs.values()))
    q = ours[tokens].double().numpy()
    rest_p, rest_q = max(1 - np.exp(p).sum(), 1e-9), max(1 - np.exp(q).sum(), 1e-9)
    return float((np.exp(p) * (p - q)).sum() + rest_p * np.log(rest_p / rest_q))
