"""Nobody's changed file, other base or other layout is served as the adapter that its manifest describes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backend.errors import JindamError
from backend.models.adapter_manifest import (
    FILE_NAME,
    read_manifest,
    require_peft,
    require_servable,
    require_unchanged,
)
from backend.models.gemma import EMBEDDED_ADAPTER, open_counsellor
from backend.models.llamacpp_chat import LlamaCppChat
from backend.models.weights import SHA256
from backend.settings import Settings


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A copy of the shipped one."""
    return Path(shutil.copytree(EMBEDDED_ADAPTER.parent, tmp_path / "adapter"))


def test_the_shipped_adapter_is_what_its_manifest_says(adapter: Path) -> None:
    for form in (adapter, adapter / EMBEDDED_ADAPTER.name):
        manifest = require_servable(form, SHA256)
        assert manifest is not None
        assert set(manifest.files) == {"adapter-f16.gguf", "adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_one_changed_byte_of_a_peft_folder_is_noticed(adapter: Path, name: str) -> None:
    content = bytearray((adapter / name).read_bytes())
    content[-2] ^= 1
    (adapter / name).write_bytes(content)
    with pytest.raises(JindamError, match="기록과 다릅니다"):
        require_servable(adapter, SHA256)
    require_servable(adapter / EMBEDDED_ADAPTER.name, SHA256)  # the other form is as it was


def test_a_changed_or_unknown_lora_file_is_not_opened(adapter: Path, tmp_path: Path) -> None:
    file = adapter / EMBEDDED_ADAPTER.name
    other = shutil.copy(file, adapter / "other.gguf")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    for changed in (file, Path(other)):
        with pytest.raises(JindamError, match="기록과 다릅니다"):
            _ = LlamaCppChat(weights_folder=tmp_path, model_path=file, adapter_path=changed).server


def test_another_base_and_another_layout_are_refused(adapter: Path) -> None:
    with pytest.raises(JindamError, match="맞지 않습니다"):
        require_unchanged(adapter, "0" * 64)
    manifest = read_manifest(adapter)
    assert manifest is not None
    manifest.model_copy(update={"template_sha256": "0" * 64, "layout": "seed"}).write(adapter, EMBEDDED_ADAPTER.name)
    require_unchanged(adapter, SHA256)  # finetune chat asks it in its own layout
    with pytest.raises(JindamError, match="형식이 상담에서 쓰는 형식과 다릅니다"):
        require_servable(adapter, SHA256)


def test_an_adapter_from_elsewhere_has_no_manifest_and_only_its_format_is_looked_at(adapter: Path) -> None:
    (adapter / FILE_NAME).unlink()
    assert require_servable(adapter, SHA256) is None
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(JindamError, match="어댑터가 없습니다") as caught:
        require_peft(adapter)
    assert "safetensors만" in caught.value.why


def test_a_path_that_is_not_there_is_told() -> None:
    assert (
        open_counsellor(Settings(chat_adapter=Path("none.gguf"))).adapter == "none.gguf"
    )  # nothing is opened before the first call
    with pytest.raises(JindamError, match="찾을 수 없습니다"):
        require_servable(Path("none.gguf"), SHA256)
