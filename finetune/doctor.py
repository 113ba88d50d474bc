"""What this machine can train, and what is missing."""

from __future__ import annotations

import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes", "gguf", "sacrebleu")
OPTIONAL = {"matplotlib": "loss.svg", "tensorboard": "TensorBoard", "trackio": "trackio", "flash_attn": "flash_attention_2"}


def examine() -> dict[str, Any]:
    """Versions, device, memory, disk, and the speed of matrix products in both precisions."""
    import psutil
    import torch

    report: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in NEEDED},
        "optional": {name: find_spec(name) is not None for name in OPTIONAL},
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "free_memory_gb": round(psutil.virtual_memory().available / 1e9, 1),
        "free_disk_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "threads": torch.get_num_threads(),
        "gpu": None,
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        report["gpu"] = {
            "name": properties.name,
            "count": torch.cuda.device_count(),
            "memory_gb": round(properties.total_memory / 1e9, 1),
            "bfloat16": torch.cuda.is_bf16_supported(),
        }
    report["gflops"] = {name: matmul_gflops(name) for name in ("float32", "bfloat16")}
    return report


def matmul_gflops(dtype: str, seconds: float = 0.3) -> float:
    """Billions of floating-point operations a second of this machine in a product of the 270M's largest shape."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.randn(400, 640, dtype=getattr(torch, dtype), device=device)
    b = torch.randn(640, 2048, dtype=getattr(torch, dtype), device=device)
    for _ in range(3):
        a @ b
    runs, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        a @ b
        runs += 1
        if device == "cuda":
            torch.cuda.synchronize()
    return round(2 * 400 * 640 * 2048 * runs / (time.perf_counter() - start) / 1e9, 1)


def advice(report: dict[str, Any]) -> list[str]:
    """Which configuration suits, in words for the person in front."""
    lines = []
    gpu = report["gpu"]
    if missing := [name for name, found in report["packages"].items() if found is None]:
        lines.append(f"빠진 패키지: {', '.join(missing)} → pip install 'jindam[finetune]' -c constraints.txt")
    if gpu is None:
        lines.append("GPU가 없습니다 → gemma3-270m-cpu (로그인 없이 됩니다)")
        if report["gflops"]["bfloat16"] < 1.2 * report["gflops"]["float32"]:
            lines.append("이 CPU는 bfloat16이 빠르지 않습니다 → --set model.dtype=float32")
    elif gpu["memory_gb"] < 7:
        lines.append(
            "GPU 메모리가 8GB보다 작습니다 → gemma3-270m-cpu를 GPU에서 돌리거나, gemma3-1b-qlora에 --set train.checkpointing=true"
        )
    else:
        lines.append("GPU가 있습니다 → gemma3-1b-qlora (허브 로그인과 Gemma 사용 동의가 필요합니다)")
        if not gpu["bfloat16"]:
            lines.append("이 GPU는 bfloat16을 못 씁니다. Gemma 3은 float16에서 값이 넘치므로 --set model.dtype=float32")
    if report["free_memory_gb"] < 4:
        lines.append(f"빈 메모리가 {report['free_memory_gb']}GB입니다. 270M 학습에는 4GB쯤 필요합니다")
    return lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
