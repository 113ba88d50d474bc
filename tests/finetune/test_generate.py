from __future__ import annotations

from pathlib import Path

import pytest
import torch

from finetune.config import ModelConfig
from finetune.generate import generated_replies, served_chat, served_replies
from finetune.model import open_base
from finetune.template import Layout
from tests.finetune.test_template import turns

PROMPTS = [turns("안녕하세요"), turns("취업이 걱정돼요. 어떻게 하면 좋을까요?"), turns("가", "나", "다")]


def test_the_service_s_engine_answers_every_prompt_in_order(at_home: None) -> None:
    replies = served_replies(served_chat(None, max_new_tokens=8, slots=2), PROMPTS)
    assert len(replies) == 3
    assert all(reply.text for reply in replies)


def test_one_after_another_the_same_seed_says_the_same(at_home: None) -> None:
    chat = served_chat(None, max_new_tokens=12, slots=1)
    first, second = (served_replies(chat, PROMPTS[:2], seed=5) for _ in range(2))
    assert first == second


def test_transformers_answers_in_order_whatever_the_batches(tiny: Path, layout: Layout) -> None:
    base = open_base(ModelConfig(base=str(tiny), dtype="float32"))
    seen: list[tuple[int, int]] = []
    together = generated_replies(
        base.model,
        layout,
        PROMPTS,
        max_new_tokens=6,
        temperature=0,
        batch_size=3,
        advance=lambda done, total: seen.append((done, total)),
    )
    apart = generated_replies(base.model, layout, PROMPTS, max_new_tokens=6, temperature=0, batch_size=1)
    assert [reply.text for reply in together] == [reply.text for reply in apart]
    assert seen == [(3, 3)]


@pytest.mark.parametrize("stop", ["<eos>", "<end_of_turn>"])
def test_a_model_that_says_the_stop_token_stops(tiny: Path, layout: Layout, stop: str) -> None:
    base = open_base(ModelConfig(base=str(tiny), dtype="float32"))
    token = layout.tokenizer.convert_tokens_to_ids(stop)
    head = torch.nn.Linear(16, 262_144)  # a model that says nothing else
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    head.bias.data[token] = 50.0
    base.model.lm_head = head
    (reply,) = generated_replies(base.model, layout, PROMPTS[:1], max_new_tokens=6)
    assert reply.stopped
    assert reply.text == ""
