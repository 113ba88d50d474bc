"""Opens the real parts, each once and when it is first needed, and hands them to the graph."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from backend.embedding.embedder import NamedEmbeddings, open_embedder
from backend.embedding.index import Manifest, Progress, ensure_index, manifest_of, open_index, read_manifest
from backend.embedding.majors import Major, Passage, passages_of, read_majors
from backend.embedding.names import MajorNames
from backend.embedding.retriever import MajorRetriever
from backend.embedding.shipped_vectors import FILE_NAME as VECTORS
from backend.embedding.shipped_vectors import WithShippedVectors
from backend.models.gemma import Counsellor, open_counsellor
from backend.models.helplines import Helpline, read_helplines
from backend.models.risk import RiskScreen
from backend.models.risk_classifier import open_risk_classifier
from backend.models.risk_replies import Replies
from backend.models.router import Router, open_router
from backend.models.unsafe_answers import AnswerScreen
from backend.models.vetted_replies import VettedReplies, open_vetted_replies
from backend.models.weights import embedded_weights, weights_file
from backend.settings import Settings, get_settings

_T = TypeVar("_T")


class _opened_once(cached_property[_T]):  # noqa: N801
    """A cached property of :class:`Resources`; of many first users, one opens the part and the others wait."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        with instance.opening:
            return super().__get__(instance, owner)


class Resources:
    """The parts of one deployment. Opening a part may raise :class:`backend.errors.JindamError`."""

    def __init__(self, settings: Settings | None = None, *, progress: Progress | None = None) -> None:
        """``progress`` is told how the first build of the index goes on."""
        self.settings = settings or get_settings()
        self.opening = threading.RLock()
        self._progress = progress

    @_opened_once
    def embedder(self) -> NamedEmbeddings:
        """Text → vectors."""
        return open_embedder(self.settings)

    @_opened_once
    def risk(self) -> RiskScreen:
        """The crisis screen."""
        settings = self.settings
        return RiskScreen(open_risk_classifier(settings.data_folder, settings.home, self.embedder))

    @_opened_once
    def answer_screen(self) -> AnswerScreen:
        """What no answer may say."""
        return AnswerScreen(self._helplines)

    @_opened_once
    def replies(self) -> Replies:
        """The fixed texts for people in danger."""
        return Replies(self._helplines)

    @_opened_once
    def _helplines(self) -> dict[str, Helpline]:
        return read_helplines(self.settings.data_folder)

    @_opened_once
    def router(self) -> Router:
        """Message → what it needs."""
        return open_router(self.settings.data_folder, self.settings.home, self.embedder)

    @_opened_once
    def counsellor(self) -> Counsellor:
        """The chat model; its weights are opened on its first call."""
        return open_counsellor(self.settings)

    @_opened_once
    def vetted(self) -> VettedReplies | None:
        """Checked replies that a small counsellor gives way to; none for a larger one, or where the data holds none."""
        settings = self.settings
        if settings.chat_replies == "generated" or not self.counsellor.small:
            return None
        return open_vetted_replies(settings.data_folder, settings.home, self.embedder)

    @_opened_once
    def retriever(self) -> MajorRetriever:
        """Question → majors. Builds the index if there is none; refuses one of other data or another embedding model."""
        if read_manifest(self._index_folder) is None:
            self.build_index()
        return MajorRetriever(self.majors, open_index(self._index_folder, self._manifest, self._passage_embedder))

    @property
    def names(self) -> MajorNames:
        """What majors are called."""
        retriever: MajorRetriever = self.retriever
        return retriever.names

    def prepare(self) -> None:
        """Make what a first answer needs: the index, and the embedded weights where they are the counsellor's."""
        _ = self.retriever
        settings = self.settings
        embedded = settings.chat_engine == "llamacpp" and settings.chat_model is None
        if embedded and not weights_file(settings.weights_folder).is_file():  # a file that is there is verified when it is opened
            embedded_weights(settings.weights_folder)

    def build_index(self, *, rebuild: bool = False) -> bool:
        """Bring the collection's index up to date; returns whether there was something to do."""
        return ensure_index(
            self._index_folder,
            self._manifest,
            self._passages,
            self._passage_embedder,
            rebuild=rebuild,
            progress=self._progress,
        )

    @_opened_once
    def majors(self) -> list[Major]:
        """The records of the shipped majors."""
        return read_majors(self.settings.data_folder / "majors")

    @_opened_once
    def _passages(self) -> list[Passage]:
        return [passage for major in self.majors for passage in passages_of(major)]

    @_opened_once
    def _manifest(self) -> Manifest:
        return manifest_of(self.settings.collection, self._passages, self.embedder.model_id)

    @_opened_once
    def _passage_embedder(self) -> WithShippedVectors:
        return WithShippedVectors(self.embedder, self.settings.data_folder / "majors" / VECTORS)

    @property
    def _index_folder(self) -> Path:
        return self.settings.index_folder(self.settings.collection)
