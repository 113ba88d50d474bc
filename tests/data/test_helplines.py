"""One table of helplines, and no number outside it anywhere in the tree."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from backend.models.helplines import read_helplines
from backend.settings import Settings

ROOT = Path(__file__).parents[2]
RETIRED = "13" + "93"


def test_every_entry_is_whole(settings: Settings) -> None:
    table = read_helplines(settings.data_folder)
    assert {"109", "1388", "1577-0199", "117", "1366", "112", "119"} == set(table)
    for line in table.values():
        assert date.fromisoformat(line.verified_on) <= date.today()
        assert line.number in str(line)


def test_the_retired_number_is_nowhere() -> None:
    files = [path for folder in ("backend", "data", "tests", "benchmarks") for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    texts = (path for path in files if path.suffix in {".py", ".md", ".json", ".jsonl", ".toml", ".txt", ""} and path.is_file())
    assert [path for path in texts if re.search(rf"(?<!\d){RETIRED}(?!\d)", path.read_text(encoding="utf-8"))] == []
