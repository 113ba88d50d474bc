from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import AdapterConfig, ModelConfig
from finetune.data import Split, read_split
from finetune.evaluate import Likelihoods, compare_with_references, describe, gain, has_repetition, last_turns, likelihoods
from finetune.generate import Reply
from finetune.loss import add_scored_head
from finetune.model import add_adapter, open_base
from finetune.template import IGNORED, Layout


def given_likelihoods(nats: list[float], tokens: list[int]) -> Likelihoods:
    return Likelihoods(np.array(nats), np.array(tokens), reply_bytes=3 * sum(tokens), stop_probability=1.0)


@pytest.fixture(scope="module")
def split(rows: tuple[Path, Path], layout: Layout) -> Split:
    return read_split(rows[1], layout, max_tokens=1024)


def test_nll_is_the_brute_force_sum_without_the_stop_token(tiny: Path, layout: Layout, split: Split) -> None:
    base = open_base(ModelConfig(base=str(tiny), dtype="float32"))
    add_scored_head(base.model)
    model = add_adapter(base.model, AdapterConfig(rank=2))
    found = likelihoods(model, layout, split)
    nats, tokens, stops = 0.0, 0, []
    for row in split.encoded:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1].log_softmax(-1)
        for place, label in enumerate(row.labels[1:]):
            if label == layout.stop_id:
                stops.append(logits[place, label].exp().item())
            elif label != IGNORED:
                nats, tokens = nats - logits[place, label].item(), tokens + 1
    assert found.nll == pytest.approx(nats / tokens, abs=1e-5)
    assert found.bpb == pytest.approx(nats / math.log(2) / split.reply_bytes, abs=1e-5)
    assert found.stop_probability == pytest.approx(sum(stops) / len(stops), rel=1e-4)
    assert model.training


def test_the_gain_s_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(50, 300, 80)
    base = given_likelihoods(list(4.0 * tokens + rng.normal(0, 10, 80)), list(tokens))
    tuned = given_likelihoods(list(3.2 * tokens + rng.normal(0, 10, 80)), list(tokens))
    found = gain(base, tuned)
    low, high = found["interval"]
    assert low < found["nll"] < high
    assert found["nll"] == pytest.approx(0.8, abs=0.05)
    assert gain(base, tuned) == found
    assert gain(base, base)["interval"] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("오늘은 일찍 자 봐요. 내일은 한 문제만 풀어 봐요.", False),
        ("오늘은 일찍 자 봐요. 오늘은 일찍 자 봐요.", True),
        ("수학 문제를 하루에 한 개씩만 풀어요 그리고 수학 문제를 하루에 한 개씩만 풀어요", True),
        ("정말 정말 정말 힘들었겠어요.", True),
        ("정말 정말 힘들었겠어요.", False),
        ("네. 네. 알겠어요.", False),
        ("", False),
    ],
)
def test_repetition(text: str, repeats: bool) -> None:
    assert has_repetition(text) is repeats


@given(st.text(max_size=80))
def test_saying_it_twice_is_repetition(text: str) -> None:
    words = "하나 둘 셋 넷 다섯"
    assert has_repetition(f"{words} {text} {words}")


def test_the_figures_of_replies() -> None:
    found = describe(
        [
            Reply("힘들었겠어요. 하나만 골라 봐요.", True),
            Reply("こんにちは", False),
            Reply("힘들었겠어요. 하나만 더 해 봐요.", True),
        ]
    )
    assert found == {"stop_rate": 0.6667, "repetition": 0.0, "korean": 0.6667, "characters": 18, "opening_variety": 0.6667}


def test_replies_like_their_references_score_higher() -> None:
    vectors = {"같은 말": [1.0, 0.0], "다른 말": [0.0, 1.0]}

    def embed(texts: list[str]) -> list[list[float]]:
        return [vectors[text] for text in texts]

    same = compare_with_references(["같은 말"], ["같은 말"], embed)
    other = compare_with_references(["다른 말"], ["같은 말"], embed)
    assert same == {"chrf": 100.0, "similarity": 1.0}
    assert other["chrf"] < 60
    assert other["similarity"] == 0.0


def test_prompts_end_before_the_last_reply(split: Split) -> None:
    prompts, references = last_turns(split, 2)
    assert len(prompts) == 2
    assert all(prompt[-1].role == "user" for prompt in prompts)
    assert references == [dialogue.messages[-1].content for dialogue in split.dialogues[:2]]
