"""From raw rows to splits: what is cleaned, what is refused and why, and that the same rows make the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.dialogues import twins
from backend.dialogues.sources import Columns
from backend.embedding.make_finetune_dataset import Plan, Report, app, make_dataset
from backend.errors import JindamError

RETIRED = "13" + "93"
REPLY = "{}. 이 말에서 시작해 볼까요?"


def _row(user: str, reply: str | None = None, **more: Any) -> dict[str, Any]:
    return {"turns": [{"user": user, "assistant": REPLY.format(user) if reply is None else reply}], **more}


GOOD = [
    _row(text, id=str(n), writer="abcd"[n % 4])
    for n, text in enumerate(
        [
            "수학이 싫어서 문과로 갈까 고민이에요",
            "엄마는 공무원을 하라는데 저는 빵 만드는 게 좋아요",
            "면접만 보면 머리가 하얘져요",
            "전과 신청 기간이 다음 주인데 아직 못 정했어요",
            "친구들은 다 학원을 다니는데 저만 안 다녀요",
            "군대 다녀와서 복학하려니 막막해요",
            "아들이 게임만 하고 말을 안 해요",
            "첫 직장에서 실수해서 잠이 안 와요",
        ]
    )
]

BAD: list[tuple[str, dict[str, Any]]] = [
    ("nan", {"turns": [{"user": "질문이에요", "assistant": float("nan")}]}),
    ("nan", _row("질문이에요", "NaN")),
    ("wrong-roles", {"messages": [{"role": "assistant", "content": "답"}, {"role": "user", "content": "질문"}]}),
    ("wrong-roles", {"messages": [{"role": "user", "content": "질문"}]}),
    ("empty-reply", _row("질문이에요", "  ")),
    ("empty-question", _row("<p> </p>")),
    ("not-text", {"turns": [{"user": "질문이에요", "assistant": 7}]}),
    ("not-korean", _row("질문이에요", "I am sorry to hear that.")),
    ("unsafe-retired-helpline", _row("힘들어요", f"힘들 때는 {RETIRED}에 전화하세요.")),
    ("unsafe-weight-advice", _row("살 빼고 싶어요", "저녁을 굶어 보세요.")),
    ("no-help", _row("그냥 죽고 싶어요", "이번 주에는 산책을 해 보세요.")),
    ("no-question-or-answer", {"memo": "x"}),
]


def _write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _everything(out: Path) -> list[dict[str, Any]]:
    return [row for split in ("train", "validation", "test") for row in _lines(out / f"{split}.jsonl")]


@pytest.mark.parametrize(("reason", "row"), BAD)
def test_a_planted_bad_row_is_refused_with_its_line(tmp_path: Path, reason: str, row: dict[str, Any]) -> None:
    report = make_dataset([_write(tmp_path / "a.jsonl", [*GOOD, row])], tmp_path / "out")
    assert report.refused == {reason: 1}
    refused = _lines(tmp_path / "out" / "rejected.jsonl")
    assert [(r["file"], r["line"], r["reason"]) for r in refused] == [("a.jsonl", len(GOOD) + 1, reason)]
    assert len(_everything(tmp_path / "out")) == len(GOOD)


def test_a_line_that_is_no_json_is_told(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.jsonl", GOOD)
    file.write_text(file.read_text(encoding="utf-8") + "{oops\n", encoding="utf-8")
    assert make_dataset([file], tmp_path / "out").refused == {"not-json": 1}


def test_personal_data_is_masked_and_counted(tmp_path: Path) -> None:
    row = _row("저는 010-1234-5678 쓰는 고2예요 me@school.kr 로 답해 주세요", "이번 주에는 쉬어 보세요.", writer="a")
    report = make_dataset([_write(tmp_path / "a.jsonl", [*GOOD, row])], tmp_path / "out")
    assert report.masked == {"이메일": 1, "전화번호": 1}
    assert "1234-5678" not in "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "out").iterdir())


def test_text_is_cleaned(tmp_path: Path) -> None:
    row = _row(
        "“수학이\u200b <b>너무</b>&nbsp;싫어요<br>어떡하죠”", '"이번 주에는  하루에\r\n한 문제만 풀어 보세요."', writer="a"
    )
    make_dataset([_write(tmp_path / "a.jsonl", [row])], tmp_path / "out", plan=Plan(share=0))
    (row,) = _everything(tmp_path / "out")
    assert [message["content"] for message in row["messages"][1:]] == [
        "수학이 너무 싫어요\n어떡하죠",
        "이번 주에는 하루에\n한 문제만 풀어 보세요.",
    ]


def test_whole_writers_go_to_one_split(tmp_path: Path) -> None:
    plan = Plan(validation=("b",), test=("c",))
    report = make_dataset([_write(tmp_path / "a.jsonl", GOOD)], tmp_path / "out", plan=plan)
    assert report.writers == {"train": ["a", "d"], "validation": ["b"], "test": ["c"]}


def test_a_twin_of_a_test_row_is_not_trained_on(tmp_path: Path) -> None:
    twin = _row(GOOD[2]["turns"][0]["user"] + "요즘", GOOD[2]["turns"][0]["assistant"], writer="a")
    report = make_dataset([_write(tmp_path / "a.jsonl", [*GOOD, twin])], tmp_path / "out", plan=Plan(test=("c",)))
    assert (report.twins, report.refused) == (2, {"twin-across-splits": 1})
    assert len(_lines(tmp_path / "out" / "test.jsonl")) == 2
    assert len(_lines(tmp_path / "out" / "train.jsonl")) == 6


def test_twins_of_unknown_writers_stay_together(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "writer"} for row in GOOD]
    rows += [_row(row["turns"][0]["user"] + " 네", row["turns"][0]["assistant"]) for row in GOOD]
    make_dataset([_write(tmp_path / "a.jsonl", rows)], tmp_path / "out", plan=Plan(share=0.3))
    split_of = {
        row["messages"][1]["content"]: split
        for split in ("train", "validation", "test")
        for row in _lines(tmp_path / "out" / f"{split}.jsonl")
    }
    assert len(set(split_of.values())) > 1
    assert all(split_of[text] == split_of[text + " 네"] for text in split_of if text + " 네" in split_of)


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.jsonl", [*GOOD, GOOD[0]])
    first = make_dataset([file], tmp_path / "one")
    second = make_dataset([file], tmp_path / "two")
    assert first == second
    assert first.copies == 1
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_tables_are_read_by_column(tmp_path: Path) -> None:
    from openpyxl import Workbook

    header, cells = ["고민", "상담사 말", "학년"], [[r["turns"][0]["user"], r["turns"][0]["assistant"], "고2"] for r in GOOD]
    (tmp_path / "in").mkdir()
    sheet = Workbook()
    for line in [header, *cells]:
        sheet.active.append(line)
    sheet.save(tmp_path / "in" / "a.xlsx")
    (tmp_path / "in" / "b.csv").write_text(
        "\ufeff" + "\n".join(",".join(line) for line in [header, ["학과를 못 고르겠어요", REPLY, "중3"]]), encoding="utf-8"
    )
    report = make_dataset(
        [tmp_path / "in"], tmp_path / "out", columns=Columns(assistant="상담사 말", keep=("학년",)), plan=Plan(share=0)
    )
    assert report.rows["train"] == len(GOOD) + 1
    assert report.counted == {"학년": {"고2": len(GOOD), "중3": 1}}
    with pytest.raises(JindamError, match="답변 열"):
        make_dataset([tmp_path / "in" / "b.csv"], tmp_path / "no")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.jsonl", GOOD)
    make_dataset([file], tmp_path / "out")
    with pytest.raises(JindamError, match="이미 만든 자료"):
        make_dataset([file], tmp_path / "out")
    make_dataset([file], tmp_path / "out", force=True)


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="없는 경로"):
        make_dataset([tmp_path / "absent"], tmp_path / "out")
    with pytest.raises(JindamError, match="없는 작성자"):
        make_dataset([_write(tmp_path / "a.jsonl", GOOD)], tmp_path / "out", plan=Plan(test=("z",)))
    with pytest.raises(JindamError, match="한 줄도 없습니다"):
        make_dataset([_write(tmp_path / "b.jsonl", [BAD[0][1]])], tmp_path / "out")
    (tmp_path / "c.csv").write_bytes("질문,답변\n".encode() + b"\xff\xfe,x\n")
    with pytest.raises(JindamError, match="UTF-8"):
        make_dataset([tmp_path / "c.csv"], tmp_path / "out")


def test_the_sketch_finds_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shared = "이번 주에는 하루 십 분만 그 일을 적어 보고, 담임 선생님께 한 문장으로 물어보세요. 서두르지 않아도 괜찮아요."
    pairs = [(a, b) for a in "수학 영어 과학 체육 음악".split() for b in "진로 친구 가족 시험".split()]
    rows = [_row(f"{a} 때문에 {b} 고민이 생겼어요", f"{b}와 {a}. {shared}", writer="a") for a, b in pairs]
    file = _write(tmp_path / "a.jsonl", [*rows, *GOOD])
    exact = make_dataset([file], tmp_path / "exact")
    monkeypatch.setattr(twins, "EXACT_ROWS", 0)
    sketched = make_dataset([file], tmp_path / "sketched")
    assert exact.twins == 20
    assert 0.7 * exact.twins <= sketched.twins <= exact.twins


def test_the_command_counts_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.models import gemma_tokenizer

    class Words:
        def count(self, text: str) -> int:
            return len(text.split())

    monkeypatch.setattr(gemma_tokenizer, "gemma_tokenizer", lambda _: Words())
    file = _write(tmp_path / "a.jsonl", GOOD)
    result = CliRunner().invoke(app, [str(file), "--out", str(tmp_path / "out"), "--test", "c"])
    assert result.exit_code == 0, result.output
    report = Report(**json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")))
    assert report.tokens["sampled"] == len(GOOD)
    again = CliRunner().invoke(app, [str(file), "--out", str(tmp_path / "out")])
    assert again.exit_code == 1
    assert "--force" in again.stderr
