"""What people write is in no log, at any level, after everything else has run."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from backend.service.main import Jindam


def test_no_message_is_in_any_log(jindam: Jindam, log_file: Path, messages: set[str]) -> None:
    jindam.ask("요즘은 그냥 사라지고 싶다는 생각뿐이에요")
    jindam.ask("간호학과에서는 무엇을 배우나요? 제 번호는 010-1234-5678이에요")
    logging.shutdown()
    logged = log_file.read_text(encoding="utf-8")
    assert "risk level=crisis rule=" in logged
    assert "1234-5678" not in logged
    told = [message for message in messages if len(message) >= 6]
    assert len(told) >= 2
    assert [m for m in told if m in logged or json.dumps(m)[1:-1] in logged or repr(m)[1:-1] in logged] == []
