"""Writing files so that nothing half-written is ever taken for whole, and reading text that Korean offices save."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from backend.errors import JindamError


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock that guards ``target`` against a second process that wants to build it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(target.name + ".lock"))
        lock.acquire()
    except OSError as error:
        raise JindamError(
            f"{target.parent} 폴더에 쓸 수 없습니다.",
            why=error.strerror or str(error),
            fix="폴더의 쓰기 권한과 남은 공간을 확인하거나, JINDAM_HOME을 쓸 수 있는 폴더로 맞춰 주세요.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; move it into place only if the body succeeds.

    Works for a file and for a folder. Whatever stood at ``target`` is replaced.
    """
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    fresh = aside / target.name
    try:
        yield fresh
        if target.is_dir():
            target.rename(aside / "old")
        fresh.replace(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def encoding_of(file: Path) -> str:
    """UTF-8 with or without a byte-order mark, or the older Korean encoding of spreadsheets and notepads.

    Raises:
        UnicodeDecodeError: it is neither.

    """
    data = file.read_bytes()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        data.decode("cp949")
        return "cp949"
    return "utf-8-sig"


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin writing ``needed`` bytes that will not fit.

    Raises:
        JindamError: less is free on the folder's disk.

    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise JindamError(
            f"{folder}에 쓸 공간이 모자랍니다.",
            why=f"{needed / 1e6:.0f} MB가 필요한데 {free / 1e6:.0f} MB만 남아 있습니다.",
            fix="공간을 비우거나, JINDAM_HOME을 여유 있는 디스크의 폴더로 맞춰 주세요.",
        )
