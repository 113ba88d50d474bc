"""``python -m finetune``."""

from finetune.cli import app

app(prog_name="python -m finetune")
