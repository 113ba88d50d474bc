"""The wheel works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backend.resources import Resources

ROOT = Path(__file__).parents[1]


def test_the_wheel_answers_outside_the_checkout(tmp_path: Path, resources: Resources) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("jindam-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)], check=True)
    _ = resources.retriever
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "JINDAM_HOME": str(resources.settings.home)}
    code = (
        "import backend; from backend.settings import get_settings; from backend.service.main import ask; "
        "print(backend.__file__); print(get_settings().data_folder); print(ask('간호학과는 뭘 배워요?')['sources'][0]['title'])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert printed == [str(tmp_path / "site/backend/__init__.py"), str(tmp_path / "site/backend/_data"), "간호학과"]
