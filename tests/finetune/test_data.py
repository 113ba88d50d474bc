from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import JindamError
from finetune.data import read_dialogues, read_split, sha256_of
from finetune.template import Layout
from tests.finetune.conftest import dialogue

GOOD = dialogue(1)


def write(file: Path, *rows: object) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def messages(*pairs: tuple[str, object]) -> dict[str, object]:
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (messages(("user", "질문")), "assistant"),
        (messages(("assistant", "답"), ("user", "질문")), "1번째 차례"),
        (messages(("user", "질문"), ("assistant", "   ")), "비어"),
        (messages(("user", "질문"), ("user", "또"), ("assistant", "답")), "2번째 차례"),
        (messages(("user", float("nan")), ("assistant", "답")), "string"),
        (messages(("human", "질문"), ("assistant", "답")), "user"),
        ({"text": "질문"}, "messages"),
        ({"messages": []}, "assistant"),
    ],
)
def test_rows_that_are_no_dialogue_are_refused_by_line(tmp_path: Path, row: object, said: str) -> None:
    file = write(tmp_path / "rows.jsonl", GOOD, row)
    with pytest.raises(JindamError) as caught:
        read_dialogues(file)
    assert "2번째 줄" in str(caught.value)
    assert said in str(caught.value)


def test_a_row_is_kept_whole_or_not_at_all(tmp_path: Path, layout: Layout) -> None:
    long = messages(("user", "질문"), ("assistant", "아주 긴 답입니다. " * 100))
    file = write(tmp_path / "rows.jsonl", GOOD, long)
    with pytest.raises(JindamError, match="너무 긴 대화가 1개") as caught:
        read_split(file, layout, max_tokens=128)
    assert "data.max_tokens" in caught.value.fix
    split = read_split(file, layout, max_tokens=128, too_long="drop")
    assert (len(split.encoded), split.dropped) == (1, 1)
    with pytest.raises(JindamError, match="너무 긴 대화가 2개"):
        read_split(file, layout, max_tokens=16, too_long="drop")


def test_counts(tmp_path: Path, layout: Layout) -> None:
    split = read_split(write(tmp_path / "rows.jsonl", GOOD, dialogue(2, 2)), layout, max_tokens=512)
    assert split.reply_bytes == sum(
        len(message.content.encode()) for one in split.dialogues for message in one.messages if message.role == "assistant"
    )
    assert split.scored == sum(label != -100 for row in split.encoded for label in row.labels)
    assert set(split.columns()) == {"input_ids", "labels"}


def test_outside_a_checkout_data_is_the_installation_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(read_dialogues(Path("data/counseling/validation.jsonl"))) > 100
    with pytest.raises(JindamError, match="읽을 수 없습니다"):
        read_dialogues(Path("other/validation.jsonl"))


def test_the_hash_is_of_what_is_said(tmp_path: Path) -> None:
    plain = read_dialogues(write(tmp_path / "a.jsonl", GOOD))
    tagged = read_dialogues(write(tmp_path / "b.jsonl", {**GOOD, "topic": "수학"}))
    other = read_dialogues(write(tmp_path / "c.jsonl", dialogue(3)))
    assert sha256_of(plain) == sha256_of(tagged) != sha256_of(other)
