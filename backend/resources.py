"""Opens the real parts, each once and when it is first needed, and hands them to the graph."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from backend.embedding.contents import Contents, gather, read_contents
from backend.embedding.documents import Skipped
from backend.embedding.embedder import NamedEmbeddings, open_embedder
from backend.embedding.index import Changes, Manifest, Progress, ensure_index, manifest_of, open_index, read_manifest
from backend.embedding.majors import Major, read_majors
from backend.embedding.names import MajorNames
from backend.embedding.retriever import Retriever
from backend.embedding.shipped_vectors import FILE_NAME as VECTORS
from backend.embedding.shipped_vectors import WithShippedVectors
from backend.errors import JindamError
from backend.models.gemma import Counsellor, open_counsellor
from backend.models.helplines import Helpline, read_helplines
from backend.models.risk import RiskScreen
from backend.models.risk_classifier import open_risk_classifier
from backend.models.risk_replies import Replies
from backend.models.router import Router, open_router
from backend.models.unsafe_answers import AnswerScreen
from backend.models.vetted_replies import VettedReplies, open_vetted_replies
from backend.models.weights import embedded_weights, weights_file
from backend.settings import SHIPPED_COLLECTION, Settings, get_settings

_T = TypeVar("_T")


class _opened_once(cached_property[_T]):  # noqa: N801
    """A cached property of :class:`Resources`; of many first users, one opens the part and the others wait."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        with instance.opening:
            return super().__get__(instance, owner)


@dataclass(frozen=True)
class Indexed:
    """What :meth:`Resources.build_index` came to."""

    contents: Contents
    skipped: list[Skipped]
    """Files that could not be read."""
    changes: Changes | None
    """None where the index already was what it should be."""


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

    @property
    def facts_writer(self) -> Counsellor | None:
        """Who writes the answer from what was found; nobody where it is composed of the found sentences."""
        if self.settings.facts_answers == "composed":
            return None
        counsellor: Counsellor = self.counsellor
        return counsellor

    @_opened_once
    def vetted(self) -> VettedReplies | None:
        """Checked replies that a small counsellor gives way to; none for a larger one, or where the data holds none."""
        settings = self.settings
        if settings.chat_replies == "generated" or not self.counsellor.small:
            return None
        return open_vetted_replies(settings.data_folder, settings.home, self.embedder)

    @_opened_once
    def retriever(self) -> Retriever:
        """Question → what the collection knows. Builds the shipped majors' index if there is none.

        An index of other data or of another embedding model is refused, and so is a collection that nobody has made.
        """
        collection, folder = self.settings.collection, self._index_folder
        if read_manifest(folder) is None:
            if collection != SHIPPED_COLLECTION:
                raise JindamError(
                    f"{collection} 자료가 없습니다.",
                    why=f"{folder}에 완성된 색인이 없습니다.",
                    fix=f"jindam index 폴더 --collection {collection} 로 만들거나 --collection을 빼고 물어봐 주세요.",
                )
            self.build_index()
        contents = self._kept_contents
        index = open_index(folder, self._manifest_of(contents), self._passage_embedder)
        return Retriever(contents, index, self.majors)

    @property
    def names(self) -> MajorNames:
        """What majors are called."""
        retriever: Retriever = self.retriever
        return retriever.names

    def prepare(self) -> None:
        """Make what a first answer needs: the index, and the embedded weights where they are the counsellor's."""
        _ = self.retriever
        settings = self.settings
        embedded = settings.chat_engine == "llamacpp" and settings.chat_model is None
        if embedded and not weights_file(settings.weights_folder).is_file():  # a file that is there is verified when it is opened
            embedded_weights(settings.weights_folder)

    def build_index(self, paths: Sequence[Path] = (), *, rebuild: bool = False) -> Indexed:
        """Make the collection what the paths hold, or, without paths, what those of the last time hold now.

        The shipped collection always holds the shipped majors too.

        Raises:
            JindamError: a path does not exist, nothing can be read, or the index cannot be written.

        """
        shipped = self.settings.collection == SHIPPED_COLLECTION
        paths = list(paths) or [Path(path) for path in self._kept_contents.paths]
        contents, skipped = gather(paths, self.majors) if paths else (Contents(), [])
        if not paths and not shipped:
            raise JindamError(
                f"{self.settings.collection} 자료를 무엇으로 만들지 알 수 없습니다.",
                why="색인할 경로를 적지 않았고, 전에 만든 적도 없습니다.",
                fix=f"예: jindam index 자료폴더 --collection {self.settings.collection}",
            )
        if shipped:
            if contents.majors:
                raise JindamError(
                    "학과 자료는 진담 학과 자료와 섞을 수 없습니다.",
                    why=f"적은 경로에 학과 {len(contents.majors)}개가 들어 있는데, collection이 {SHIPPED_COLLECTION}입니다.",
                    fix="--collection careernet 처럼 다른 이름을 적어 주세요.",
                )
            contents = contents.model_copy(update={"majors": tuple(self.majors)})
        changes = ensure_index(
            self._index_folder,
            self._manifest_of(contents),
            contents,
            self._passage_embedder,
            rebuild=rebuild,
            progress=self._progress,
        )
        return Indexed(contents, skipped, changes)

    @_opened_once
    def majors(self) -> list[Major]:
        """The records of the shipped majors."""
        return read_majors(self.settings.data_folder / "majors")

    @property
    def _kept_contents(self) -> Contents:
        """What the index holds; the shipped majors as they are shipped now."""
        contents = read_contents(self._index_folder) or Contents()
        if self.settings.collection == SHIPPED_COLLECTION:
            return contents.model_copy(update={"majors": tuple(self.majors)})
        return contents

    def _manifest_of(self, contents: Contents) -> Manifest:
        return manifest_of(self.settings.collection, contents, self.embedder.model_id, self.settings.chroma_url)

    @_opened_once
    def _passage_embedder(self) -> WithShippedVectors:
        return WithShippedVectors(self.embedder, self.settings.data_folder / "majors" / VECTORS)

    @property
    def _index_folder(self) -> Path:
        return self.settings.index_folder(self.settings.collection)
