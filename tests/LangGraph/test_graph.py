from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver

from backend.embedding.embedder import NamedEmbeddings
from backend.LangGraph.context import Context
from backend.LangGraph.graph import build_graph, make_graph
from backend.LangGraph.prompts import NOTHING_WORKED
from backend.models.gemma import Counsellor
from backend.resources import Resources

FACTS = "컴퓨터공학과에서는 무엇을 배우나요?"
COUNSEL = "내가 공부를 너무 못하는데 하고싶은 것도 없어 어떻게 해야할까?"
BOTH = "간호학과 가고 싶은데 엄마가 반대해서 속상해요. 뭘 배우는지도 알려주세요"


class Parts:
    """The real parts, with a scripted counsellor, and with any part made to fail when it is used."""

    def __init__(
        self, resources: Resources, broken: tuple[str, ...] = (), reply: str = "많이 힘들었겠어요. 같이 찾아봐요."
    ) -> None:
        self._resources = resources
        self._broken = broken
        self.counsellor_part = Counsellor(chat=FakeListChatModel(responses=[reply]), model="scripted")

    def __getattr__(self, part: str) -> Any:
        if part in self._broken:
            raise RuntimeError(f"{part} is broken")
        scripted = {"counsellor": self.counsellor_part, "vetted": None}
        return scripted[part] if part in scripted else getattr(self._resources, part)


def _graph(resources: Resources, *broken: str, **compile_options: Any) -> Any:
    return build_graph(Parts(resources, broken)).compile(**compile_options)  # type: ignore[arg-type]


def _visits(graph: Any, question: str, **options: Any) -> Counter[str]:
    return Counter(name for update in graph.stream({"question": question}, stream_mode="updates", **options) for name in update)


@pytest.mark.parametrize("question", [FACTS, COUNSEL, BOTH])
def test_answers_are_merged_exactly_once(resources: Resources, question: str) -> None:
    visits = _visits(_graph(resources), question)
    assert visits["merge_answers"] == visits["screen_answer"] == 1
    assert max(visits.values()) == 1


@pytest.mark.parametrize(("question", "last"), [("나를 웃겨봐", "decline_off_topic"), ("죽고 싶어요", "respond_to_crisis")])
def test_nothing_is_merged_where_nothing_was_asked(resources: Resources, question: str, last: str) -> None:
    visits = _visits(_graph(resources), question)
    assert visits[last] == 1
    assert "merge_answers" not in visits


def test_a_forced_mode_never_passes_by_the_crisis_screen(resources: Resources) -> None:
    state = _graph(resources).invoke({"question": "죽고 싶어요"}, context=Context(mode="finetune"))
    assert state["route"] == "crisis"


@pytest.mark.parametrize(
    ("question", "broken", "answered", "failed"),
    [
        (BOTH, "retriever", {"finetune"}, "retrieve_documents"),
        (BOTH, "counsellor", {"rag"}, "answer_from_finetuned"),
        (FACTS, "retriever", set(), "retrieve_documents"),
        (COUNSEL, "counsellor", set(), "answer_from_finetuned"),
        (FACTS, "router", {"rag", "finetune"}, "classify_rag_finetune"),
    ],
)
def test_a_failure_is_told_and_the_other_branch_answers(
    resources: Resources, question: str, broken: str, answered: set[str], failed: str
) -> None:
    for state in (
        _graph(resources, broken).invoke({"question": question}),
        asyncio.run(_graph(resources, broken).ainvoke({"question": question})),
    ):
        assert set(state["answers"]) == answered
        assert [fault["part"] for fault in state["degraded"]] == [failed]
        assert state["answer"]
        if not answered:
            assert state["answer"] == NOTHING_WORKED.text


def test_both_branches_failing_is_an_apology(resources: Resources) -> None:
    state = _graph(resources, "retriever", "counsellor").invoke({"question": BOTH})
    assert state["answer"] == NOTHING_WORKED.text
    assert {fault["part"] for fault in state["degraded"]} == {"retrieve_documents", "answer_from_finetuned"}


def test_a_screen_that_fails_fails_towards_care(resources: Resources) -> None:
    class Broken(Parts):
        """The screen breaks on the message."""

        @property
        def risk(self) -> Any:
            class Screen:
                def by_rules(self, text: str) -> None:
                    raise RuntimeError("broken")

            return Screen()

    state = build_graph(Broken(resources)).compile().invoke({"question": "안녕"})  # type: ignore[arg-type]
    assert state["route"] == "crisis"
    assert "109" in state["answer"]
    assert state["degraded"][0]["part"] == "screen_risk"


def test_a_second_turn_keeps_nothing_of_the_first_answers(resources: Resources) -> None:
    graph = _graph(resources, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    graph.invoke({"question": BOTH}, config)
    state = graph.invoke({"question": "나를 웃겨봐"}, config)
    assert state["answers"] == {}
    assert state["sources"] == []
    assert state["degraded"] == []
    assert len(state["messages"]) == 4


def test_a_follow_up_is_understood(resources: Resources) -> None:
    graph = _graph(resources, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    graph.invoke({"question": FACTS}, config)
    state = graph.invoke({"question": "그럼 자격증은?"}, config)
    assert state["sources"][0]["title"] == "컴퓨터공학과"
    assert state["sources"][0]["field"] == "자격·면허"


def test_nothing_of_the_vectors_is_stored(resources: Resources) -> None:
    saver = InMemorySaver()
    _graph(resources, checkpointer=saver).invoke({"question": FACTS}, {"configurable": {"thread_id": "t"}})
    stored = [checkpoint.checkpoint["channel_values"] for checkpoint in saver.list(None)]
    assert stored
    assert not any("query_vector" in values or "retrieved" in values for values in stored)


def test_a_person_reads_each_text_once(resources: Resources) -> None:
    graph = _graph(resources)
    streamed = [
        message.text for message, _ in graph.stream({"question": BOTH}, stream_mode="messages") if message.type != "human"
    ]
    assert len(streamed) == len(set(streamed)) == 1


def test_the_four_ways_to_call_agree(resources: Resources) -> None:
    graph = _graph(resources)

    async def asynchronous() -> tuple[Any, Any]:
        whole = await graph.ainvoke({"question": FACTS})
        parts = [part async for part in graph.astream({"question": FACTS}, stream_mode="values")]
        return whole, parts[-1]

    answers = {
        graph.invoke({"question": FACTS})["answer"],
        list(graph.stream({"question": FACTS}, stream_mode="values"))[-1]["answer"],
        *(state["answer"] for state in asyncio.run(asynchronous())),
    }
    assert len(answers) == 1


def test_studio_gets_a_graph_and_a_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    graph = make_graph()
    assert graph.checkpointer is None
    assert set(graph.get_context_jsonschema()["properties"]) == {"mode", "k", "profile"}  # type: ignore[index]
    assert set(graph.get_input_jsonschema()["properties"]) == {"question"}


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readme_shows_the_graph_itself(resources: Resources, readme: str) -> None:
    text = (Path(__file__).parents[2] / readme).read_text(encoding="utf-8")
    drawn = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    own = _graph(resources).get_graph().draw_mermaid().splitlines(keepends=True)
    # LangGraph draws an error handler as a node without edges; the README says in words where they lead.
    assert drawn == ["".join(line for line in own if "__error_handler__" not in line)]


def test_one_vector_serves_the_whole_turn(resources: Resources) -> None:
    counted: list[str] = []
    real: NamedEmbeddings = resources.embedder

    class Counting(Parts):
        class embedder:  # noqa: N801
            model_id = real.model_id

            @staticmethod
            def embed_query(text: str) -> list[float]:
                counted.append(text)
                return real.embed_query(text)

    build_graph(Counting(resources)).compile().invoke({"question": BOTH})  # type: ignore[arg-type]
    assert counted == [BOTH]
