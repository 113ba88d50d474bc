"""What a caller may choose for one run. JSON-able, so that LangGraph Studio shows it as a form."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from pydantic import BaseModel, ConfigDict, Field


class Context(BaseModel):
    """Options of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "rag", "finetune", "both"] = Field(
        default="auto",
        description="Which branches answer; auto lets the classifier decide. The crisis screen always comes first.",
    )
    k: int = Field(default=5, ge=1, le=20, description="How many majors are looked up.")
    profile: str | None = Field(
        default=None, max_length=200, description="Who is asking, in a few words: 고2, 문과. The counsellor sees it."
    )


def options(runtime: Runtime[Context]) -> Context:
    """The run's options; LangGraph gives None where the caller chose nothing."""
    return runtime.context or Context()
