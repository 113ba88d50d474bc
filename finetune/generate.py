"""Replies of a model, many prompts at once.

On a CPU transformers makes 10 tokens a second of Gemma 3 270M and llama.cpp 120, so the embedded base is asked through the service's
own engine, with the adapter as a LoRA file: what is measured is what is served. Any other base is asked through transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from backend.models.llamacpp_chat import LlamaCppChat
from backend.models.weights import embedded_weights
from backend.settings import get_settings
from finetune.data import Message
from finetune.progress import Advance, silent
from finetune.template import Layout

_TOP_K, _TOP_P, _REPETITION = 40, 0.9, 1.1
"""As the service samples (backend/models/llamacpp_chat.py)."""


@dataclass(frozen=True)
class Reply:
    """What a model said."""

    text: str
    stopped: bool
    """It ended by itself, not at the limit."""


Prompts = Sequence[Sequence[Message]]
"""Dialogues that wait for a reply."""


def served_chat(adapter: Path | None, *, max_new_tokens: int = 512, temperature: float = 0.7, slots: int = 8) -> LlamaCppChat:
    """The service's engine over the embedded weights and a LoRA file (none: the base)."""
    return LlamaCppChat(
        model_path=embedded_weights(get_settings().weights_folder),
        adapter_path=adapter,
        slots=slots,
        max_tokens=max_new_tokens,
        temperature=temperature,
        timeout_s=3600,
    )


def served_replies(chat: LlamaCppChat, prompts: Prompts, *, seed: int = 0, advance: Advance = silent) -> list[Reply]:
    """What the service's engine answers.

    With one slot the same seed gives the same replies; beside other requests, batching moves the last digits of the logits.
    """
    messages: list[list[BaseMessage]] = [[_KINDS[message.role](message.content) for message in prompt] for prompt in prompts]
    replies: list[Reply] = []
    for start in range(0, len(messages), chat.slots):
        batch = messages[start : start + chat.slots]
        for answer in chat.bind(seed=seed).batch(list(batch), {"max_concurrency": chat.slots}):
            finish = answer.response_metadata["finish_reason"]
            replies.append(Reply(text=answer.text.strip(), stopped=finish == "stop"))
        advance(len(replies), len(messages))
    return replies


_KINDS: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


def generated_replies(
    model: Any,
    layout: Layout,
    prompts: Prompts,
    *,
    max_new_tokens: int = 512,
    temperature: float = 0.7,
    batch_size: int = 16,
    seed: int = 0,
    advance: Advance = silent,
) -> list[Reply]:
    """What ``model`` says through transformers; ``temperature=0`` always takes the likeliest token.

    Prompts of like length share a batch. The same seed gives the same replies on the same machine.
    """
    ids = [layout.prompt_ids(prompt) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
    replies: dict[int, Reply] = {}
    stops = [layout.stop_id, layout.tokenizer.convert_tokens_to_ids("<end_of_turn>"), layout.tokenizer.eos_token_id]
    was_training = model.training
    model.eval()
    torch.manual_seed(seed)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        width = max(len(ids[number]) for number in batch)
        padding = layout.tokenizer.pad_token_id
        inputs = torch.tensor([[padding] * (width - len(ids[number])) + ids[number] for number in batch], device=model.device)
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs,
                attention_mask=(inputs != padding).long(),
                max_new_tokens=max_new_tokens,
                eos_token_id=sorted(set(stops)),
                pad_token_id=padding,
                use_cache=True,
                repetition_penalty=_REPETITION,
                do_sample=temperature > 0,
                **({"temperature": temperature, "top_k": _TOP_K, "top_p": _TOP_P} if temperature > 0 else {}),
            )
        for number, row in zip(batch, output[:, width:].tolist(), strict=True):
            end = next((place for place, token in enumerate(row) if token in stops), None)
            said = row[:end] if end is not None else row
            text = str(layout.tokenizer.decode(said, skip_special_tokens=True)).strip()
            replies[number] = Reply(text=text, stopped=end is not None)
        advance(min(start + batch_size, len(order)), len(order))
    model.train(was_training)
    return [replies[number] for number in range(len(prompts))]
