from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend.resources import Resources
from backend.service.cli import app


@pytest.fixture
def home(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The session's home, its index built, so that commands do not build their own."""
    _ = resources.retriever
    monkeypatch.setenv("JINDAM_HOME", str(resources.settings.home))
    monkeypatch.setenv("JINDAM_CHAT_MAX_TOKENS", "24")
    return resources.settings.home


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_help_is_instant_and_shows_examples() -> None:
    start = time.monotonic()
    shown = subprocess.run([sys.executable, "-m", "backend.service.cli", "--help"], capture_output=True, text=True, check=True)
    assert time.monotonic() - start < 2
    assert "jindam ask" in shown.stdout
    code = "import sys, backend.service.cli; print([m for m in ('chromadb', 'langgraph', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.usefixtures("home")
def test_ask_as_json() -> None:
    result = _run("ask", "간호학과는 어떤 사람에게 맞나요?", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["route"] == "rag"
    assert answer["sources"][0]["field"] == "흥미와 적성"


@pytest.mark.usefixtures("home")
def test_ask_as_text_shows_sources() -> None:
    result = _run("ask", "간호학과는 어떤 사람에게 맞나요?")
    assert result.exit_code == 0
    assert "[1] 간호학과 · 흥미와 적성" in result.stdout


@pytest.mark.usefixtures("home")
def test_ask_tells_that_a_reply_was_written_before() -> None:
    result = _run("ask", "하고 싶은 게 하나도 없어서 답답해요", "--mode", "finetune")
    assert result.exit_code == 0
    assert "미리 쓰고 검토한 답" in result.stdout


def test_a_thread_is_kept(home: Path) -> None:
    assert _run("ask", "간호학과는 뭘 배워요?", "--thread", "kept").exit_code == 0
    answer = json.loads(_run("ask", "그럼 자격증은?", "--thread", "kept", "--json").stdout)
    assert answer["sources"][0]["title"] == "간호학과"
    assert (home / "threads.sqlite").is_file()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ask", ""], "질문이 비어"),
        (["ask", "q", "--thread", "../x"], "대화 이름"),
        (["ask", "가" * 3000], "너무 깁니다"),
    ],
)
def test_bad_input_is_refused_with_a_reason(arguments: list[str], told: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "까닭" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("home")
def test_compare_shows_both_sides() -> None:
    result = _run("compare", "컴공 가고 싶은데 수학이 걱정돼요")
    assert result.exit_code == 0
    assert "RAG" in result.stdout
    assert "fine-tuned" in result.stdout


@pytest.mark.usefixtures("home")
def test_eval_measures_and_keeps_its_floor(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"query": "간호학과는 뭘 배워요", "gold": {"간호학과": 2}}\n', encoding="utf-8")
    result = _run("eval", "retrieval", str(file), "--json", "--floor", "0.9")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ndcg@10"] == 1
    file.write_text('{"query": "간호학과는 뭘 배워요", "gold": {"작곡과": 2}}\n', encoding="utf-8")
    assert _run("eval", "retrieval", str(file), "--floor", "0.9").exit_code == 1
    assert "읽을 수 없습니다" in _run("eval", "router", str(tmp_path / "absent.jsonl")).stderr


@pytest.mark.usefixtures("home")
def test_index_does_nothing_twice() -> None:
    result = _run("index")
    assert result.exit_code == 0
    assert "바뀐 것이 없습니다" in result.stdout


def test_own_documents_beside_the_majors_are_quoted_with_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINDAM_HOME", str(tmp_path / "home"))
    papers = tmp_path / "학교"
    papers.mkdir()
    (papers / "현장실습.md").write_text("현장실습 신청서는 5월 마지막 주에 학과 사무실로 냅니다.", encoding="utf-8")
    (papers / "옛문서.hwp").write_bytes(b"x")
    indexed = _run("index", str(papers), "--json")
    assert indexed.exit_code == 0, indexed.output
    told = json.loads(indexed.stdout)
    assert (told["majors"], told["files"], told["chunks"]) == (348, 1, 1)
    assert told["skipped"][0]["file"] == "학교/옛문서.hwp"
    assert "바뀐 것이 없습니다" in _run("index").stdout  # the paths of the last time
    answer = _run("ask", "현장실습 신청서는 언제 어디에 내나요?", "--mode", "rag")
    assert "5월 마지막 주" in answer.stdout
    assert "학교/현장실습.md" in answer.stdout
    refused = _run("index", str(tmp_path / "none"))
    assert refused.exit_code == 1
    assert "그런 파일이나 폴더가 없습니다" in refused.stderr
    assert _run("ask", "q", "--collection", "nobody").exit_code == 1
    for name in ("x", "내자료"):
        refused = _run("ask", "q", "--collection", name)
        assert refused.exit_code == 1
        assert "자료 이름으로 쓸 수 없습니다" in refused.stderr


@pytest.mark.usefixtures("home")
def test_doctor_finds_everything_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run("doctor")
    assert result.exit_code == 0
    assert "xllamacpp" in result.stdout
    assert "gemma3-270m-counsel" in result.stdout
    from backend.settings import get_settings

    monkeypatch.setenv("JINDAM_CHAT_ADAPTER", "none.gguf")
    get_settings.cache_clear()
    result = _run("doctor")
    assert result.exit_code == 1
    assert "none.gguf" in result.stdout
    monkeypatch.delenv("JINDAM_CHAT_ADAPTER")
    monkeypatch.setenv("JINDAM_CHAT_ENGINE", "openai")
    get_settings.cache_clear()
    result = _run("doctor")
    assert result.exit_code == 1
    assert "JINDAM_CHAT_BASE_URL" in result.stdout


def test_ctrl_c_in_chat_stops_the_answer_and_leaves_the_thread_readable(home: Path) -> None:
    environment = os.environ | {"JINDAM_HOME": str(home), "JINDAM_CHAT_MAX_TOKENS": "1500", "PYTHONUNBUFFERED": "1"}
    environment["JINDAM_CHAT_REPLIES"] = "generated"  # a vetted reply is there at once
    chat = subprocess.Popen(
        [sys.executable, "-m", "backend.service.cli", "chat", "--thread", "stopped"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert chat.stdin is not None
    chat.stdin.write("간호학과는 뭘 배워요?\n너무 지치고 불안해서 아무것도 못 하겠어요\n")
    chat.stdin.flush()
    assert chat.stdout is not None
    said = ""
    while said.count("진담> ") < 2 and (character := chat.stdout.read(1)):
        said += character
    chat.send_signal(signal.SIGINT)  # the second answer has just begun
    rest, _ = chat.communicate("그럼 자격증은?\n", timeout=60)
    out = said + rest
    assert chat.returncode == 0, out
    assert "멈췄습니다" in out
    assert "Traceback" not in out
    assert re.search(r"간호학과 · 자격·면허", out)  # the thread went on after the stop
