from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.errors import JindamError
from backend.settings import Settings, get_settings


def test_environment_is_read_on_first_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JINDAM_CHAT_SLOTS", "3")
    assert get_settings().chat_slots == 3
    assert get_settings().home == tmp_path / "home"


def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINDAM_CHAT_SLOTS", "many")
    with pytest.raises(JindamError, match="JINDAM_CHAT_SLOTS") as caught:
        get_settings()
    assert ".env.example" in caught.value.fix


def test_a_data_folder_without_majors_is_told(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="학과 자료 폴더"):
        _ = Settings(data=tmp_path).data_folder


def test_every_setting_is_in_the_example_file() -> None:
    text = (Path(__file__).parents[1] / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?\s*(JINDAM_[A-Z0-9_]+)=", text, re.MULTILINE))
    assert named == {f"JINDAM_{name.upper()}" for name in Settings.model_fields}
