"""Where a turn goes next: state in, names of nodes out."""

from __future__ import annotations

from backend.LangGraph.state import CounselState


def after_screen(state: CounselState) -> str:
    """A crisis is answered before anything else is asked."""
    return "respond_to_crisis" if state["risk"]["level"] == "crisis" else "resolve_follow_up"


def after_classification(state: CounselState) -> list[str]:
    """The branches that the route names; both run side by side."""
    match state["route"]:
        case "rag":
            return ["retrieve_documents"]
        case "finetune":
            return ["answer_from_finetuned"]
        case "off_topic":
            return ["decline_off_topic"]
        case _:
            return ["retrieve_documents", "answer_from_finetuned"]
