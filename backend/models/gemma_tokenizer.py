"""Gemma's tokenizer, rebuilt from the embedded weights: no hub is asked.

The GGUF file holds the vocabulary with SentencePiece scores; a byte-pair tokenizer needs the merges, in the order of their
scores. They are worked out once (seconds) and kept as ``JINDAM_HOME/tokenizer/<sha256 of the weights>/tokenizer.json``.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from backend.errors import JindamError
from backend.files import locked, written_aside
from backend.models.weights import SHA256, embedded_weights
from backend.settings import Settings

_CONTROL, _USER_DEFINED, _BYTE = 3, 4, 6
"""Token types of GGUF (gguf.TokenType)."""


class GemmaTokenizer:
    """Gemma 3's tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """``tokenizer`` adds no special tokens by itself."""
        self.tokenizer = tokenizer

    def ids(self, text: str) -> list[int]:
        """The token ids of ``text``, control tokens recognised, no ``<bos>`` in front."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def count(self, text: str) -> int:
        """How many tokens ``text`` is."""
        return len(self.ids(text))


def gemma_tokenizer(settings: Settings) -> GemmaTokenizer:
    """The tokenizer of the embedded weights.

    Raises:
        JindamError: ``gguf`` is not installed, or the weights are damaged.

    """
    file = settings.home / "tokenizer" / SHA256[:16] / "tokenizer.json"
    if not file.is_file():
        with locked(file):
            if not file.is_file():
                built = _from_gguf(embedded_weights(settings.weights_folder))
                with written_aside(file) as fresh:
                    built.save(str(fresh))
    return GemmaTokenizer(Tokenizer.from_file(str(file)))


def _from_gguf(weights: Path) -> Tokenizer:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise JindamError(
            "Gemma 토크나이저를 만들 수 없습니다.",
            why="gguf 패키지가 설치되어 있지 않습니다.",
            fix="pip install 'jindam[dataset]' -c constraints.txt 로 설치해 주세요.",
        ) from error
    fields = GGUFReader(weights).fields
    pieces: list[str] = fields["tokenizer.ggml.tokens"].contents()
    scores: list[float] = fields["tokenizer.ggml.scores"].contents()
    types: list[int] = fields["tokenizer.ggml.token_type"].contents()
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=_merges(pieces, scores, types, vocabulary),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    whole = [piece for piece, kind in zip(pieces, types, strict=True) if kind in (_CONTROL, _USER_DEFINED)]
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in whole])
    return tokenizer


def _merges(pieces: list[str], scores: list[float], types: list[int], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Every way to put a piece together from two others, best score first, as transformers' SentencePiece converter has it."""
    ranked = []
    for piece, score, kind in zip(pieces, scores, types, strict=True):
        if kind in (_CONTROL, _USER_DEFINED, _BYTE):
            continue
        halves = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [(vocabulary[a], vocabulary[b], a, b) for a, b in halves if a in vocabulary and b in vocabulary]
        ranked += [(-score, vocabulary[piece], a, b) for _, _, a, b in sorted(known)]
    ranked.sort(key=lambda merge: merge[:2])
    return [(a, b) for _, _, a, b in ranked]
