from __future__ import annotations

import json
from collections.abc import Callable

from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage

from finetune.judge import CRITERIA, judge


class Scripted(FakeListChatModel):
    """Stands for somebody's endpoint; answers by what it is shown."""

    responses: list[str] = [""]  # noqa: RUF012 - a pydantic field
    answer: Callable[[str], str]

    def _call(self, messages: list[BaseMessage], *args: object, **kwargs: object) -> str:
        return self.answer(str(messages[-1].content))


def scores(a: int, b: int) -> str:
    return json.dumps({"A": dict.fromkeys(CRITERIA, a), "B": dict.fromkeys(CRITERIA, b)})


def test_the_better_reply_wins_from_both_places() -> None:
    def answer(shown: str) -> str:
        return "생각해 보면…\n" + (scores(1, 4) if shown.index("좋은 답") > shown.index("나쁜 답") else scores(4, 1))

    found = judge(Scripted(answer=answer), ["질문"], ["나쁜 답"], ["좋은 답"])
    assert found["tuned_preferred"] == 1.0
    assert found["base"] == dict.fromkeys(CRITERIA, 1.0)
    assert found["tuned"] == dict.fromkeys(CRITERIA, 4.0)
    assert (found["verdicts"], found["unreadable"]) == (2, 0)


def test_a_judge_that_favours_a_place_decides_nothing() -> None:
    found = judge(Scripted(answer=lambda _: scores(5, 0)), ["질문"], ["하나"], ["둘"])
    assert found["tuned_preferred"] == 0.5
    assert found["base"] == found["tuned"]


def test_verdicts_that_cannot_be_read_are_counted() -> None:
    found = judge(Scripted(answer=lambda shown: "A가 낫네요" if "둘" in shown else scores(9, 0)), ["질문"], ["하나"], ["둘"])
    assert (found["verdicts"], found["unreadable"], found["tuned_preferred"]) == (0, 2, None)
