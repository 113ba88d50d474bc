"""How well a model predicts held-out replies, and what its own replies look like: base and tuned, on the same rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backend.korean import is_korean, sentences
from finetune.data import Message, Split
from finetune.generate import Reply
from finetune.progress import Advance, silent
from finetune.template import Layout

_RESAMPLES = 2000


@dataclass(frozen=True)
class Likelihoods:
    """Summed negative log-likelihood of the replies in each dialogue, the stop tokens left out."""

    nats: NDArray[np.float64]
    tokens: NDArray[np.int64]
    reply_bytes: int
    stop_probability: float
    """Mean probability of the stop token where a reply ends."""

    @property
    def nll(self) -> float:
        """Nats per token, every token weighed alike."""
        return float(self.nats.sum() / self.tokens.sum())

    @property
    def bpb(self) -> float:
        """Bits per UTF-8 byte of the replies: comparable between tokenizers and layouts."""
        return float(self.nats.sum() / math.log(2) / self.reply_bytes)


def likelihoods(model: Any, layout: Layout, split: Split, advance: Advance = silent) -> Likelihoods:
    """Run every dialogue of ``split`` through ``model`` (with a scored head, see ``finetune.loss.add_scored_head``)."""
    nats, tokens, stops = [], [], []
    was_training = model.training
    model.eval()
    for number, row in enumerate(split.encoded):
        with torch.inference_mode():
            scored = model(
                input_ids=torch.tensor([row.input_ids], device=model.device),
                labels=torch.tensor([row.labels], device=model.device),
                scored_head=True,
            )
        end = scored.labels == layout.stop_id
        nats.append(scored.losses[~end].sum().item())
        tokens.append(int((~end).sum()))
        stops += scored.losses[end].neg().exp().tolist()
        advance(number + 1, len(split.encoded))
    model.train(was_training)
    return Likelihoods(np.array(nats), np.array(tokens), split.reply_bytes, float(np.mean(stops)))


def gain(base: Likelihoods, tuned: Likelihoods, seed: int = 0) -> dict[str, Any]:
    """How many nats per token the tuned model is below the base, with a 95% interval over dialogues.

    A paired bootstrap: dialogues are drawn with replacement, the same ones for both models (Efron 1979).
    """
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(base.nats), (_RESAMPLES, len(base.nats)))
    differences = (base.nats - tuned.nats)[draws].sum(1) / base.tokens[draws].sum(1)
    low, high = np.quantile(differences, [0.025, 0.975])
    return {"nll": round(base.nll - tuned.nll, 4), "interval": [round(float(low), 4), round(float(high), 4)]}


def has_repetition(text: str) -> bool:
    """Whether a reply repeats itself: a sentence of eight or more characters twice, or five words in a row twice."""
    said = [sentence for sentence in sentences(text) if len(sentence) >= 8]
    words = text.split()
    runs = [tuple(words[start : start + 5]) for start in range(len(words) - 4)]
    return len(set(said)) < len(said) or len(set(runs)) < len(runs) or _stutters(words)


def _stutters(words: Sequence[str]) -> bool:
    """One word three times in a row."""
    return any(a == b == c for (a, b), (_, c) in pairwise(pairwise(words)))


def describe(replies: Sequence[Reply]) -> dict[str, float]:
    """Stop rate, repetition, Korean only, length and opening variety of replies."""
    texts = [reply.text for reply in replies]
    openings = Counter(" ".join(text.split()[:2]) for text in texts)
    lengths = sorted(len(text) for text in texts)
    return {
        "stop_rate": _share(reply.stopped for reply in replies),
        "repetition": _share(has_repetition(text) for text in texts),
        "korean": _share(is_korean(text) for text in texts),
        "characters": lengths[len(lengths) // 2],
        "opening_variety": round(len(openings) / len(texts), 4),
    }


def compare_with_references(
    replies: Sequence[str], references: Sequence[str], embed: Callable[[list[str]], Any]
) -> dict[str, float]:
    """ChrF (Popović 2015, sacrebleu's defaults) and mean cosine of embeddings between replies and references."""
    from sacrebleu.metrics.chrf import CHRF

    ours, theirs = np.asarray(embed(list(replies))), np.asarray(embed(list(references)))
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    return {
        "chrf": round(CHRF().corpus_score(list(replies), [list(references)]).score, 2),
        "similarity": round(float(cosines.mean()), 4),
    }


def report(
    found: dict[str, Likelihoods],
    replies: Mapping[str, Sequence[Reply]],
    references: Sequence[str],
    embed: Callable[[list[str]], Any],
) -> dict[str, Any]:
    """``rows``, ``base``, ``tuned``, ``gain``, ``generated``: the JSON of ``python -m finetune evaluate``."""
    sides: dict[str, Any] = {}
    for name in ("base", "tuned"):
        sides[name] = {
            "nll": round(found[name].nll, 4),
            "bpb": round(found[name].bpb, 4),
            "stop_probability": round(found[name].stop_probability, 4),
        }
        if references:
            sides[name] |= describe(replies[name]) | compare_with_references(
                [reply.text for reply in replies[name]], references, embed
            )
    return {
        "rows": len(found["base"].nats),
        **sides,
        "gain": gain(found["base"], found["tuned"]),
        "generated": len(references),
    }


def last_turns(split: Split, count: int) -> tuple[list[tuple[Message, ...]], list[str]]:
    """Each dialogue up to its last question, and the reply that followed."""
    dialogues = split.dialogues[:count]
    return [dialogue.messages[:-1] for dialogue in dialogues], [dialogue.messages[-1].content for dialogue in dialogues]


def _share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return round(sum(found) / max(len(found), 1), 4)
