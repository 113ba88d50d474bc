from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from backend.models.gemma import Counsellor


class Recording(FakeListChatModel):
    """A scripted model that remembers what it was asked."""

    asked: list[list[BaseMessage]]

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self.asked.append(messages)
        yield from super()._stream(messages, *args, **kwargs)


@pytest.fixture
def scripted() -> Callable[..., Counsellor]:
    def make(*responses: str, **options: Any) -> Counsellor:
        return Counsellor(chat=Recording(responses=list(responses), asked=[], **options), model="scripted")

    return make
