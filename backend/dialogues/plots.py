"""Pictures of the dialogues for the data card: ``python -m backend.dialogues.plots data/counseling`` (needs matplotlib)."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def plot(folder: Path) -> list[Path]:
    """Write ``matrix.svg`` (topic by audience, dialogues) and ``lengths.svg`` (reply lengths in characters) to ``folder``."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "jindam", "font.size": 8})
    import matplotlib.pyplot as plt

    rows = [
        json.loads(line)
        for split in ("train", "validation", "test")
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    counts = Counter((row["topic"], row["audience"]) for row in rows)
    topics = sorted({topic for topic, _ in counts})
    audiences = sorted({audience for _, audience in counts})
    matrix = [[counts[topic, audience] for audience in audiences] for topic in topics]
    figure, axes = plt.subplots(figsize=(7, 11), layout="constrained")
    axes.imshow(matrix, cmap="Greens", aspect="auto")
    axes.set_xticks(range(len(audiences)), audiences)
    axes.set_yticks(range(len(topics)), topics)
    for y, line in enumerate(matrix):
        for x, count in enumerate(line):
            if count:
                axes.text(
                    x, y, str(count), ha="center", va="center", color="white" if count > 0.6 * max(map(max, matrix)) else "black"
                )
    axes.set_title(f"{len(rows)} dialogues by topic and audience")
    files = [_save(figure, folder / "matrix.svg")]

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    single = [len(row["messages"][2]["content"]) for row in rows if len(row["messages"]) == 3]
    later = [len(message["content"]) for row in rows if len(row["messages"]) > 3 for message in row["messages"][2::2]]
    axes.hist([single, later], bins=range(100, 681, 20), stacked=True, label=["one exchange", "of several exchanges"])
    axes.set_xlabel("characters of a reply")
    axes.set_ylabel("replies")
    axes.legend()
    return [*files, _save(figure, folder / "lengths.svg")]


def _save(figure: Any, file: Path) -> Path:
    figure.savefig(file, metadata={"Date": None})
    return file


if __name__ == "__main__":
    for written in plot(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
