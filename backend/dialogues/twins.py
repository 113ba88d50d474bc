"""Dialogues that are nearly the same: character 5-gram Jaccard similarity of at least a half.

Up to :data:`EXACT_ROWS` rows every pair that shares a 5-gram is compared. Above, MinHash bands (Broder 1997; 32 bands of 4)
propose the pairs: a pair at .5 is proposed with probability .87, at .6 with .99, and what is proposed is compared exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.5
EXACT_ROWS = 20_000
_BANDS, _BAND_ROWS = 32, 4


def shingles(text: str) -> set[str]:
    """The text's character 5-grams, white space left out."""
    squeezed = "".join(text.split())
    return {squeezed[i : i + 5] for i in range(max(1, len(squeezed) - 4))}


def near_pairs(texts: Sequence[str], threshold: float = THRESHOLD) -> Iterator[tuple[int, int]]:
    """Every pair (earlier, later) of texts at least ``threshold`` alike."""
    sets = [shingles(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    for later, grams in enumerate(sets):
        shared: Counter[int] = Counter()
        for gram in grams:
            shared.update(holders[gram])
            holders[gram].append(later)
        for earlier, common in shared.items():
            if common / (len(sets[earlier]) + len(grams) - common) >= threshold:
                yield earlier, later


def signature(text: str) -> NDArray[np.uint64]:
    """The hashes of the text's MinHash bands, shape (32,): texts that share one may be alike (needs ``rensa``)."""
    from rensa import RMinHash

    minhash = RMinHash(num_perm=_BANDS * _BAND_ROWS, seed=7)
    minhash.update(sorted(shingles(text)))
    rows = np.asarray(minhash.digest(), np.uint64).reshape(_BANDS, _BAND_ROWS)
    mixed = np.full(_BANDS, 1469598103934665603, np.uint64)
    for column in rows.T:  # FNV-1a over the band
        mixed = (mixed ^ column) * np.uint64(1099511628211)
    return mixed


class Groups:
    """Rows that belong together (union–find)."""

    def __init__(self, size: int) -> None:
        """Every row is alone at first."""
        self._parent = np.arange(size)

    def join(self, one: int, other: int) -> None:
        """Put two rows' groups together; the group is named after its earliest row."""
        a, b = self.of(one), self.of(other)
        self._parent[max(a, b)] = min(a, b)

    def of(self, row: int) -> int:
        """The earliest row of the row's group."""
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = int(self._parent[row])
        return row


def join_likely(signatures: NDArray[np.uint64], text_of: Callable[[int], str], groups: Groups) -> None:
    """Join the rows that share a band and are alike; ``signatures`` is (rows, 32), ``text_of`` reads a row's text.

    Rows of one band are compared with the first of them and with the one before, and those that are together already not again:
    a million copies of one text stay linear in time, and nothing but the groups is remembered.
    """
    for band in range(signatures.shape[1]):
        hashes = np.asarray(signatures[:, band])
        order = np.argsort(hashes, kind="stable")
        starts = np.flatnonzero(np.r_[True, hashes[order][1:] != hashes[order][:-1]])
        ends = np.r_[starts[1:], len(order)]
        for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
            members = order[start:end].tolist()
            for position in range(1, len(members)):
                row = members[position]
                for other in {members[0], members[position - 1]}:
                    if groups.of(row) != groups.of(other) and _similarity(text_of(row), text_of(other)) >= THRESHOLD:
                        groups.join(row, other)


def _similarity(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)
