"""``python -m finetune evaluate``: from a file and an adapter to one report."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from backend.embedding.embedder import open_embedder
from backend.files import written_aside
from backend.settings import get_settings
from finetune.chat import SIDES, Pair
from finetune.data import read_split
from finetune.evaluate import last_turns, likelihoods, report
from finetune.judge import judge
from finetune.progress import Stages, silent_stages

_LONGEST = 8192


def measure_pair(
    adapter: str,
    data: Path,
    *,
    limit: int | None = None,
    generate: int = 64,
    max_new_tokens: int = 512,
    temperature: float = 0.7,
    seed: int = 0,
    replies: Path | None = None,
    judge_with: BaseChatModel | None = None,
    advance: Stages = silent_stages,
) -> dict[str, Any]:
    """Measure base and tuned model on the rows of ``data``, and their own replies to the first ``generate`` of them.

    ``replies`` is written as JSONL: ``prompt``, ``reference``, ``base``, ``tuned``.

    Raises:
        JindamError: the file, the adapter or its base cannot be used.

    """
    pair = Pair(adapter)
    split = read_split(data, pair.layout, max_tokens=_LONGEST, limit=limit)
    prompts, references = last_turns(split, generate)
    found, said = {}, {}
    for side in SIDES:
        with pair.opened(side) as model:
            found[side] = likelihoods(model, pair.layout, split, partial(advance, f"{side}: NLL"))
        if prompts:
            said[side] = pair.replies(
                side,
                prompts,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                advance=partial(advance, f"{side}: replies"),
            )
    result = report(found, said, references, open_embedder(get_settings()).embed_documents)
    questions = [prompt[-1].content for prompt in prompts]
    texts = {side: [reply.text for reply in of] for side, of in said.items()}
    if judge_with is not None and prompts:
        result["judge"] = judge(judge_with, questions, texts["base"], texts["tuned"], partial(advance, "judge"))
    if replies is not None and prompts:
        rows = [
            {"prompt": question, "reference": reference, "base": base, "tuned": tuned}
            for question, reference, base, tuned in zip(questions, references, texts["base"], texts["tuned"], strict=True)
        ]
        replies.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(replies) as fresh:
            fresh.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return result
