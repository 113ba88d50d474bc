"""Real parts, opened once for the whole run, in a home of their own."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from langgraph.runtime import Runtime

from backend.LangGraph.context import Context
from backend.models.llamacpp_chat import LlamaCppChat
from backend.models.risk import RiskFound, RiskScreen
from backend.resources import Resources
from backend.service.main import Jindam
from backend.settings import Settings

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing in these tests may look for a network
hypothesis.settings.register_profile("jindam", deadline=None, derandomize=True)  # the same examples on a busy machine
hypothesis.settings.load_profile("jindam")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a run that a shell put into the background cannot be tested for Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


LAST = "test_no_words_in_logs.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What reads the whole run's log comes last."""
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.fixture(scope="session", autouse=True)
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything that anybody logs during the run, debugging included."""
    file = tmp_path_factory.mktemp("log") / "debug.log"
    handler = logging.FileHandler(file, encoding="utf-8")
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield file
    root.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def messages() -> Iterator[set[str]]:
    """Every message that the crisis screen reads during the run."""
    seen: set[str] = set()
    real = RiskScreen.by_rules

    def by_rules(self: RiskScreen, text: str) -> RiskFound:
        seen.add(text)
        return real(self, text)

    RiskScreen.by_rules = by_rules  # type: ignore[method-assign]
    yield seen
    RiskScreen.by_rules = real  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), chat_max_tokens=48)


@pytest.fixture(scope="session")
def resources(settings: Settings) -> Resources:
    return Resources(settings)


@pytest.fixture(scope="session")
def jindam(resources: Resources) -> Jindam:
    return Jindam(resources)


@pytest.fixture(scope="session")
def chat(settings: Settings) -> LlamaCppChat:
    """The embedded model without the shipped adapter."""
    return LlamaCppChat.from_settings(settings.model_copy(update={"chat_adapter_scale": 0.0}))


@pytest.fixture(scope="session")
def writing(settings: Settings, resources: Resources) -> Jindam:
    """A counsellor that writes every answer itself, at a model's pace."""
    _ = resources.retriever  # one index for both
    return Jindam(Resources(settings.model_copy(update={"chat_replies": "generated"})))


@pytest.fixture(scope="session")
def weights(chat: LlamaCppChat) -> Path:
    """The assembled embedded GGUF file."""
    from backend.models.weights import embedded_weights

    assert chat.weights_folder is not None
    return embedded_weights(chat.weights_folder)


@pytest.fixture
def runtime() -> Runtime[Context]:
    return Runtime(context=Context(), stream_writer=lambda _: None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A developer's own .env and JINDAM_* variables must not decide a test."""
    for name in list(os.environ):
        if name.startswith("JINDAM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JINDAM_HOME", str(tmp_path / "home"))
    from backend.settings import get_settings

    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
