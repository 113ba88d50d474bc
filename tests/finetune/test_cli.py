from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune.cli import app
from finetune.config import Config
from finetune.train import train
from tests.finetune.test_train import changed

ROOT = Path(__file__).parents[2]
runner = CliRunner()


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_help_is_instant_and_has_examples() -> None:
    start = time.perf_counter()
    printed = subprocess.run(
        [sys.executable, "-m", "finetune", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert time.perf_counter() - start < 3
    assert "예:" in printed
    for command in ("doctor", "validate", "estimate", "train", "evaluate", "chat", "export", "sweep", "bench"):
        assert command in printed
        assert "예:" in runner.invoke(app, [command, "--help"]).stdout


def test_doctor() -> None:
    report = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)
    assert report["packages"]["torch"].startswith("2.13")
    assert report["gflops"]["float32"] > 1
    assert report["advice"]


def test_validate_and_its_refusal(rows: tuple[Path, Path], tmp_path: Path) -> None:
    report = json.loads(runner.invoke(app, ["validate", str(rows[0]), "--json"]).stdout)
    assert (report["rows"], report["stop"]) == (12, "<eos>")
    shown = runner.invoke(app, ["validate", str(rows[0]), "--show", "1"])
    assert "<start_of_turn>model" in shown.stdout
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\n')
    refused = runner.invoke(app, ["validate", str(tmp_path / "bad.jsonl")])
    assert refused.exit_code == 1
    assert "1번째 줄" in refused.output


def test_wrong_names_are_refused_with_a_suggestion() -> None:
    assert "smoke" in runner.invoke(app, ["train", "smok"]).output
    refused = runner.invoke(app, ["train", "smoke", "--set", "train.batchsize=3"])
    assert refused.exit_code == 1
    assert "train.batch_size" in refused.output


def test_train_chat_evaluate_export_on_a_base_of_one_s_own(tiny_config: Config, tmp_path: Path, rows: tuple[Path, Path]) -> None:
    run = train(changed(tiny_config, train={"max_steps": 3}))
    said = runner.invoke(app, ["chat", "--adapter", str(run.adapter), "--compare", "base", "--max-new-tokens", "4", "안녕하세요"])
    assert said.exit_code == 0, said.output
    assert "바탕" in said.stdout
    assert "어댑터" in said.stdout
    replies = tmp_path / "replies.jsonl"
    command = ["evaluate", "--data", str(rows[1]), "--adapter", str(run.adapter), "--generate", "2", "--max-new-tokens", "4"]
    report = json.loads(runner.invoke(app, [*command, "--json", "--replies", str(replies)]).stdout)
    assert set(report["base"]) == set(report["tuned"])
    assert {"nll", "bpb", "stop_rate", "repetition", "korean", "characters", "opening_variety", "chrf", "similarity"} <= set(
        report["tuned"]
    )
    assert report["rows"] == 4
    assert len(replies.read_text(encoding="utf-8").splitlines()) == 2
    assert "95% 구간" in runner.invoke(app, [*command[:-4], "--generate", "0"]).stdout
    exported = runner.invoke(
        app, ["export", str(run.adapter), "--out", str(tmp_path / "dist"), "--lora", "--push", "me/x", "--dry-run"]
    )
    assert exported.exit_code == 0, exported.output
    assert "올라갈 파일" in exported.stdout.replace("\n", "")
    assert (tmp_path / "dist" / "adapter-f16.gguf").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat", "--adapter", "no/such-adapter", "안녕"], "찾을 수 없습니다"),
        (["chat", "--adapter", "runs/none", "--compare", "gpt", "안녕"], "base뿐"),
        (["evaluate", "--data", "none.jsonl", "--adapter", "runs/none", "--judge-url", "http://x"], "--judge-model"),
        (["export", "runs/none"], "내보낼 어댑터가 아닙니다"),
        (["export", "runs/none", "--box", "--merged"], "--box는 다른 꼴과"),
    ],
)
def test_wrong_input_is_told(arguments: list[str], said: str) -> None:
    refused = runner.invoke(app, arguments)
    assert refused.exit_code == 1
    assert said in refused.output.replace("\n", " ")


def test_without_its_packages_it_says_which_extra(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch', name='torch')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    failed = subprocess.run(
        [sys.executable, "-m", "finetune", "doctor"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "jindam[finetune]" in failed.stderr
    assert "Traceback" not in failed.stderr
