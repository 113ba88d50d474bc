"""The dialogues are what the data card says, and the drafts make exactly the committed splits."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.dialogues.sources import Columns
from backend.dialogues.twins import near_pairs
from backend.embedding.make_finetune_dataset import Plan, make_dataset
from backend.models.gemma import COUNSEL_SYSTEM
from backend.models.vetted_replies import GROUPS, labelled_messages
from backend.privacy import mask
from backend.settings import Settings

SPLITS = ("train", "validation", "test")
PLAN = Plan(validation=("i",), test=("j", "k"))
KEEP = ("topic", "audience", "situation", "risk", "fits", "also")
HELP = re.compile(r"(?<!\d)(?:109|1388|117|1366|112|119|1577-0199)(?!\d)")
UNIVERSITY = re.compile(
    r"(?<![가-힣])(?:서울|연세|고려|서강|성균관|한양|중앙|경희|이화|숙명|부산|경북|전남|충남|카이스트|포항공과)"
    r"대(?:학교)?(?:에|를|로|가|의)?\s?(?:가|지원|추천|도전|목표)"
)


@pytest.fixture(scope="module")
def folder(settings: Settings) -> Path:
    return settings.data_folder / "counseling"


@pytest.fixture(scope="module")
def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        split: [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def everything(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for split in SPLITS for row in rows[split]]


def _replies(row: dict[str, Any]) -> list[str]:
    return [message["content"] for message in row["messages"][2::2]]


def test_counts(everything: list[dict[str, Any]]) -> None:
    assert len(everything) >= 2400
    assert sum(len(row["messages"]) > 3 for row in everything) >= 350
    assert len({row["topic"] for row in everything}) >= 40
    assert len({row["audience"] for row in everything}) >= 9
    assert len({row["id"] for row in everything}) == len(everything)


def test_every_row_is_chatml_with_the_training_prompt(everything: list[dict[str, Any]]) -> None:
    for row in everything:
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2)]
        assert row["messages"][0]["content"] == COUNSEL_SYSTEM
        assert {"topic", "audience", "situation", "risk", "writer"} <= set(row)


def test_writers_are_not_shared(rows: dict[str, list[dict[str, Any]]]) -> None:
    writers = [{row["writer"] for row in rows[split]} for split in SPLITS]
    assert not writers[0] & writers[1] | writers[0] & writers[2] | writers[1] & writers[2]


def test_no_two_are_nearly_alike(everything: list[dict[str, Any]]) -> None:
    texts = ["\n".join(message["content"] for message in row["messages"][1:]) for row in everything]
    assert [(everything[a]["id"], everything[b]["id"]) for a, b in near_pairs(texts)] == []


def test_no_opening_is_worn(everything: list[dict[str, Any]]) -> None:
    replies = [reply for row in everything for reply in _replies(row)]
    openings = Counter(" ".join(reply.split()[:3]) for reply in replies)
    opening, count = openings.most_common(1)[0]
    assert count <= 0.01 * len(replies), opening


def test_length_and_form(everything: list[dict[str, Any]]) -> None:
    single = [len(_replies(row)[0]) for row in everything if len(row["messages"]) == 3]
    assert sum(250 <= length <= 600 for length in single) >= 0.95 * len(single)
    assert [row["id"] for row in everything for reply in _replies(row) if re.search(r"^\s*(?:[-*#]|\d\.)\s", reply, re.M)] == []


def test_nothing_personal_and_no_university_is_recommended(everything: list[dict[str, Any]]) -> None:
    texts = [(row["id"], message["content"]) for row in everything for message in row["messages"][1:]]
    assert [name for name, text in texts if mask(text).found] == []
    assert [row["id"] for row in everything for reply in _replies(row) if UNIVERSITY.search(reply)] == []


def test_whoever_is_in_danger_is_given_a_number(everything: list[dict[str, Any]]) -> None:
    risky = [row for row in everything if row["risk"]]
    assert len(risky) >= 60
    assert [row["id"] for row in risky if not any(HELP.search(reply) for reply in _replies(row))] == []


def test_vetted_replies_have_other_wordings_and_fit_something(everything: list[dict[str, Any]]) -> None:
    vetted = [row for row in everything if "also" in row]
    assert Counter(row["fits"] for row in vetted) == {"concern": 960, "topic": 157, "opening": 8, "continuing": 8}
    assert not [row["id"] for row in vetted if len(row["also"]) != 2 or len(row["messages"]) != 3 or row["risk"]]
    assert not [row["id"] for row in vetted if re.search(r"어머님|아버님|아드님|따님", row["messages"][2]["content"])]


def test_messages_are_labelled_with_known_topics(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    messages = labelled_messages(folder)
    topics = {row["topic"] for row in rows["train"] if row.get("fits") != "continuing"}
    assert {message.topic for message in messages} == topics
    assert {message.group for message in messages} == {*GROUPS.values(), "학생"}
    labelled = [json.loads(line) for line in (folder / "topics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert min(Counter(row["topic"] for row in labelled).values()) >= 130
    assert len({re.sub(r"\s+", "", row["text"]) for row in labelled}) == len(labelled)
    assert not [row["text"] for row in labelled if not 1 <= len(row["text"]) <= 300 or mask(row["text"]).found]
    held_out = {row["messages"][1]["content"] for split in ("validation", "test") for row in rows[split]}
    assert not held_out & {message.text for message in messages}


def test_the_drafts_make_the_committed_splits(folder: Path, tmp_path: Path) -> None:
    report = make_dataset([folder / "drafts"], tmp_path / "out", columns=Columns(keep=KEEP), plan=PLAN)
    assert report.refused == json.loads((folder / "report.json").read_text(encoding="utf-8"))["refused"]
    for split in SPLITS:
        assert (tmp_path / "out" / f"{split}.jsonl").read_bytes() == (folder / f"{split}.jsonl").read_bytes()
