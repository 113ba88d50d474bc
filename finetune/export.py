"""Taking a trained adapter out into the world: LoRA file, merged folder, merged GGUF, Ollama, the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from backend.errors import JindamError
from backend.files import require_space, written_aside
from backend.models.adapter_manifest import FILE_NAME, Manifest, read_manifest
from backend.models.gemma import COUNSEL_SYSTEM
from backend.models.weights import embedded_weights
from backend.settings import get_settings
from finetune.config import ModelConfig
from finetune.gguf_files import FileType, write_lora, write_model
from finetune.model import Base, open_adapter, open_base
from finetune.progress import Advance, silent
from finetune.template import CHAT_TEMPLATE

LORA_FILE = "adapter-f16.gguf"
_NOTICE = "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"


def export_adapter(adapter: Path, out: Path) -> Path:
    """Copy a PEFT folder with its manifest to ``out`` and add the model card and Gemma's notice.

    Raises:
        JindamError: there is no adapter, or something else stands at ``out``.

    """
    manifest = _manifest_of(adapter)
    if out.exists() and not (out / "adapter_config.json").is_file():
        raise JindamError(f"{out}에 다른 것이 있습니다.", why="어댑터 폴더가 아닙니다.", fix="--out에 새 폴더를 적어 주세요.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(out) as fresh:
        shutil.copytree(adapter, fresh, ignore=shutil.ignore_patterns("*.gguf"))
        (fresh / "README.md").write_text(model_card(manifest), encoding="utf-8")
        (fresh / "NOTICE").write_text(_NOTICE + "\n", encoding="utf-8")
    return out


def export_box(adapter: Path, out: Path) -> Path:
    """Write an adapter as it is committed to ``finetune/adapters``: bfloat16, with its LoRA file, without a tokenizer.

    The tokenizer is rebuilt from the base's weights; the manifest holds its hash. What is written takes 4 bytes a trained number.
    """
    export_adapter(adapter, out)
    for file in out.iterdir():
        if file.name not in ("adapter_config.json", "adapter_model.safetensors", FILE_NAME, "README.md", "NOTICE"):
            file.unlink()
    weights = out / "adapter_model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(weights).items()}, weights, metadata={"format": "pt"})
    export_lora(out, out / LORA_FILE)
    return out


def export_lora(adapter: Path, file: Path) -> Path:
    """Write the adapter as a LoRA file for llama.cpp, which the graph reads (``JINDAM_CHAT_ADAPTER``), and its manifest beside it."""
    manifest = _manifest_of(adapter)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_lora(adapter, file)
    manifest.write(file.parent, file.name)
    return file


def export_merged(adapter: Path, out: Path) -> Path:
    """Write base and adapter as one transformers folder.

    Merged in float32 into the weights that are not quantised: merging into 4 bits would round the adapter away.
    """
    base, model = merged(adapter)
    require_space(out.parent if out.parent.exists() else Path.cwd(), 2 * sum(p.numel() for p in model.parameters()) + 50_000_000)
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(out) as fresh:
        model.to(torch.bfloat16).save_pretrained(fresh)
        base.tokenizer.save_pretrained(fresh)
        (fresh / "NOTICE").write_text(_NOTICE + "\n", encoding="utf-8")
    return out


def export_gguf(adapter: Path, file: Path, kind: FileType, advance: Advance = silent) -> Path:
    """Write base and adapter as one GGUF file, and an Ollama ``Modelfile`` beside it. No llama.cpp is needed for that."""
    manifest = _manifest_of(adapter)
    _, model = merged(adapter)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_model(
        model.state_dict(),
        model.config.to_dict(),
        file,
        kind=kind,
        tokenizer_from=embedded_weights(get_settings().weights_folder),  # every Gemma 3 text model has this vocabulary
        chat_template=CHAT_TEMPLATE,
        end_of_turn=manifest.stop,
        advance=advance,
    )
    (file.parent / "Modelfile").write_text(modelfile(file, manifest), encoding="utf-8")
    return file


def merged(adapter: Path) -> tuple[Base, Any]:
    """The adapter's base in float32, and the model with the adapter merged in."""
    manifest = _manifest_of(adapter)
    source = manifest.config["model"]["base"]
    base = open_base(ModelConfig(base=source, dtype="float32", attention="sdpa"))
    return base, open_adapter(base, adapter).merge_and_unload(safe_merge=True)


def modelfile(file: Path, manifest: Manifest) -> str:
    """The Ollama recipe for a merged GGUF: Gemma's layout, both stops, the system text of the training."""
    return f'''# ollama create jindam -f Modelfile
FROM ./{file.name}
TEMPLATE """{{{{- range $i, $m := .Messages }}}}{{{{- $last := eq (len (slice $.Messages $i)) 1 }}}}
{{{{- if eq .Role "user" }}}}<start_of_turn>user
{{{{- if and (eq $i 0) $.System }}}}
{{{{ $.System }}}}
{{{{ end }}}}
{{{{ .Content }}}}<end_of_turn>
{{{{ if $last }}}}<start_of_turn>model
{{{{ end }}}}
{{{{- else if eq .Role "assistant" }}}}<start_of_turn>model
{{{{ .Content }}}}{{{{ if not $last }}}}<end_of_turn>
{{{{ end }}}}
{{{{- end }}}}
{{{{- end }}}}"""
SYSTEM """{COUNSEL_SYSTEM}"""
PARAMETER stop "<end_of_turn>"
PARAMETER stop "<start_of_turn>"
PARAMETER stop "<eos>"
PARAMETER temperature 0.7
PARAMETER top_p 0.9
PARAMETER num_ctx 2048
LICENSE """{_NOTICE}"""
'''


def model_card(manifest: Manifest) -> str:
    """The hub's ``README.md`` of an adapter: what it is, what it was made of, what it is not for."""
    result = manifest.result
    losses = (
        f"Held-out loss {result['base_loss']:.4f} (base) → {result['best_loss']:.4f} nats per token (best checkpoint).\n\n"
        if result.get("base_loss") and result.get("best_loss")
        else ""
    )
    config = json.dumps({key: manifest.config[key] for key in ("lora", "train")}, indent=1, ensure_ascii=False)
    return f"""---
base_model: {manifest.hub_name}
library_name: peft
license: gemma
language: ko
tags: [lora, sft, korean, career-counselling]
---

# Jindam counsellor adapter

A LoRA adapter that answers Korean students' worries about school and career in the manner of a school counsellor. Trained on
{manifest.rows:,} dialogues with Jindam's `finetune` on {manifest.made}.

{losses}## Use

```bash
python -m finetune chat --adapter FOLDER --compare base
```

Base: `{manifest.base}` (SHA-256 `{manifest.base_sha256}`). Layout `{manifest.layout}`; a reply ends with `{manifest.stop}`. On
another base, or with another layout, it does not work.

## Limits

It is a language model: it invents. It gives no facts about universities, admissions or pay that can be relied on, and it is no
help in a crisis. Jindam puts a crisis screen before it and an answer screen behind it; keep both.

## Training

```json
{config}
```

{_NOTICE}.
"""


def push(folder: Path, repository: str, *, dry_run: bool) -> list[str]:
    """Upload an exported adapter folder to the Hugging Face hub; with ``dry_run`` only say which files would go.

    Raises:
        JindamError: it is no exported adapter, or the hub refuses.

    """
    _manifest_of(folder)
    if not (folder / "README.md").is_file():
        raise JindamError(
            f"모델 카드가 없습니다: {folder}",
            why="README.md가 없습니다.",
            fix="python -m finetune export 로 내보낸 폴더를 적어 주세요.",
        )
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if not dry_run:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

        api = HfApi()
        try:
            api.create_repo(repository, exist_ok=True, private=True)
            api.upload_folder(repo_id=repository, folder_path=folder)
        except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
            raise JindamError(
                f"허브에 올리지 못했습니다: {repository}",
                why=str(error).splitlines()[0],
                fix="hf auth login 으로 로그인하고 이름을 확인해 주세요.",
            ) from error
    return files


def _manifest_of(adapter: Path) -> Manifest:
    manifest = read_manifest(adapter)
    if manifest is None or not (adapter / "adapter_config.json").is_file():
        raise JindamError(
            f"내보낼 어댑터가 아닙니다: {adapter}",
            why="adapter_config.json이나 manifest.json이 없습니다.",
            fix="python -m finetune train 이 만든 폴더 안의 adapter 폴더를 적어 주세요.",
        )
    return manifest
