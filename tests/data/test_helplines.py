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


_NEAR_CALLING = re.compile(
    r"(?:전화|상담|신고|연락|문자)[가-힣 ]{0,8}[ (:](?<![\d-])(1\d{2,3}(?:-\d{4})?)(?![\d-])"
    r"|(?<![\d-])(1\d{2,3}(?:-\d{4})?)(?![\d-])(?:번)?(?:\(|에|으로|로|이나|나)"
    r"[가-힣 ]{0,4}(?:전화|상담|신고|연락|문자|청소년|자살|학교)"
)
_COUNTED = re.compile(r"^(?:분|명|일|시간|원|점|회|개|문제|년|월|세|살|자|쪽|만|건|번째|학점)")


def test_every_helpline_in_the_tree_is_in_the_table(settings: Settings) -> None:
    table = read_helplines(settings.data_folder)
    found = set()
    for path in [p for folder in ("backend", "data") for p in (ROOT / folder).rglob("*")] + list(ROOT.glob("*.md")):
        if path.suffix not in {".py", ".md", ".json", ".jsonl"} or path.name in ("unsafe_answers.py", "rejected.jsonl"):
            continue
        text = path.read_text(encoding="utf-8")
        for match in _NEAR_CALLING.finditer(text):
            number = match.group(1) or match.group(2)
            if not _COUNTED.match(text[match.end(1 if match.group(1) else 2) :]):
                found.add((number, path.name))
    assert {number for number, _ in found} >= {"109", "1388", "112"}
    assert [(number, name) for number, name in sorted(found) if number not in table] == []
