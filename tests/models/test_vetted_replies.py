from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from langgraph.runtime import Runtime

from backend.embedding.lexical import bigrams
from backend.LangGraph.context import Context
from backend.LangGraph.nodes.answer_from_finetuned import answer_from_finetuned
from backend.models.vetted_replies import (
    CounsellingRow,
    VettedReplies,
    VettedReply,
    fit,
    labelled_messages,
    open_vetted_replies,
    read_rows,
)
from backend.resources import Resources
from backend.settings import Settings


class Letters:
    """An embedder that counts letters, so that tests need no minutes."""

    model_id = "letters"

    def embed_query(self, text: str) -> list[float]:
        counts = np.bincount([ord(letter) % 61 for letter in text], minlength=61) + 0.01
        return (counts / np.linalg.norm(counts)).tolist()  # type: ignore[no-any-return]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture(scope="module")
def rows(settings: Settings) -> list[CounsellingRow]:
    return read_rows(settings.data_folder / "counseling")


@pytest.fixture(scope="module")
def vetted(resources: Resources) -> VettedReplies:
    found = resources.vetted
    assert found is not None
    return found


def test_a_wording_of_a_concern_finds_its_own_reply(
    vetted: VettedReplies, resources: Resources, rows: list[CounsellingRow]
) -> None:
    asked = [row for row in rows if row.fits == "concern"][::97]
    found = [vetted.concerns(row.also[0], resources.embedder.embed_query(row.also[0]))[0] for row in asked]
    assert [reply.dialogue for reply in found] == [row.id for row in asked]
    assert [reply.text for reply in found] == [row.reply for row in asked]


def test_the_likeliest_comes_first(vetted: VettedReplies, resources: Resources) -> None:
    text = "하고 싶은 게 하나도 없어요"
    found = vetted.concerns(text, resources.embedder.embed_query(text), 5)
    assert len({reply.dialogue for reply in found}) == 5
    assert [reply.probability for reply in found] == sorted((reply.probability for reply in found), reverse=True)


def test_a_message_of_a_topic_gets_the_reply_for_its_group(
    vetted: VettedReplies, resources: Resources, rows: list[CounsellingRow]
) -> None:
    text = "고1 딸이 자퇴하겠다고 합니다. 어떻게 말려야 할지 모르겠습니다"
    found = vetted.of_topic(text, resources.embedder.embed_query(text))[0]
    row = next(row for row in rows if row.id == found.dialogue)
    assert (row.topic, row.group) == ("자퇴 고민", "학부모")


@pytest.mark.parametrize(
    "text",
    [
        "아버지가 대학까지 보내 줬는데 하셔서 자퇴 얘기를 못 꺼내고 있습니다",
        "엄마가 다리를 다쳐서 그냥 취업하겠다고 선생님께 말하고 나왔습니다",
    ],
)
def test_whoever_speaks_of_a_parent_gets_no_reply_for_parents(
    vetted: VettedReplies, resources: Resources, rows: list[CounsellingRow], text: str
) -> None:
    vector = resources.embedder.embed_query(text)
    given = {row.id: row.group for row in rows}
    assert given[vetted.of_topic(text, vector)[0].dialogue] != "학부모"
    assert "학부모" not in {given[reply.dialogue] for reply in vetted.concerns(text, vector, 5)}


@pytest.mark.parametrize("message", ["그냥 좀 그래요", "몰라요", "요즘 뭔가 답답"])
def test_where_nothing_fits_it_asks(vetted: VettedReplies, resources: Resources, message: str) -> None:
    vector = resources.embedder.embed_query(message)
    first = vetted.fitting(message, vector)
    assert first is not None
    later = vetted.fitting("네", vector, [first.text])
    assert later is not None
    assert later.level == "continuing"


def test_who_has_told_something_is_not_asked_as_if_nothing_were_said(vetted: VettedReplies, resources: Resources) -> None:
    told = "명절마다 친척들이 사촌한테는 꿈이 뭐냐고 묻고 저한테는 밥 많이 먹으라고만 해요. 웃고 말았는데 집에 오면 눈물이 나요"
    circling = "뭐라고 말해야 할지 모르겠는데 그냥 누구한테든 얘기를 좀 하고 싶어서 들어와 봤어요"
    assert (given := vetted.fitting(told, resources.embedder.embed_query(told))) is not None
    assert given.level in ("concern", "topic")
    assert (asked := vetted.fitting(circling, resources.embedder.embed_query(circling))) is not None
    assert asked.level == "opening"


def test_nothing_is_said_twice_until_all_is_said(vetted: VettedReplies, resources: Resources) -> None:
    vector = resources.embedder.embed_query("네 그런데 잘 안 돼요")
    said: list[str] = ["무엇이든"]
    while (reply := vetted.fitting("네 그런데 잘 안 돼요", vector, said)) is not None:
        assert reply.text not in said
        said.append(reply.text)
    assert len(said) >= 9


def test_every_reply_passes_the_checks_word_for_word(resources: Resources, rows: list[CounsellingRow]) -> None:
    runtime = Runtime(context=Context(), stream_writer=lambda _: None)
    for row in rows:
        if not row.also:
            continue
        reply = VettedReply(row.id, row.reply, "concern", 1.0)
        update = answer_from_finetuned(
            {"question": "q", "standalone_question": "q", "query_vector": [0.0]},
            runtime,
            counsellor=resources.counsellor,
            vetted=SimpleNamespace(fitting=lambda *_, reply=reply: reply),  # type: ignore[arg-type]
            answer_screen=resources.answer_screen,
        )
        answer = update["answers"]["finetune"]
        assert (answer["text"], answer["origin"], answer["dialogue"]) == (row.reply, "vetted", row.id)


def test_another_embedding_model_gets_its_own_once(settings: Settings, tmp_path: Path) -> None:
    embedder = Letters()
    first = open_vetted_replies(settings.data_folder, tmp_path, embedder)
    (file,) = tmp_path.rglob("vetted.npz")
    made = file.stat().st_mtime_ns
    again = open_vetted_replies(settings.data_folder, tmp_path, embedder)
    assert file.stat().st_mtime_ns == made
    text = "하고 싶은 게 없어요"
    assert first is not None
    assert again is not None
    assert first.concerns(text, embedder.embed_query(text)) == again.concerns(text, embedder.embed_query(text))


def test_data_without_dialogues_has_no_vetted_replies(tmp_path: Path) -> None:
    assert open_vetted_replies(tmp_path, tmp_path, Letters()) is None


def test_the_shipped_classifiers_are_of_the_shipped_messages(settings: Settings) -> None:
    folder = settings.data_folder / "counseling"
    messages = labelled_messages(folder)
    with np.load(folder / "vetted.npz", allow_pickle=False) as archive:
        assert archive["topics"].tolist() == sorted({message.topic for message in messages})
        documents = Counter(gram for message in messages for gram in set(bigrams(message.text)))
        assert archive["bigrams"].tolist() == sorted(gram for gram, count in documents.items() if count > 1)


def test_fitting_twice_gives_the_same(settings: Settings) -> None:
    messages = labelled_messages(settings.data_folder / "counseling")[::7]
    one, two = fit(messages, Letters()), fit(messages, Letters())
    assert np.array_equal(one.topic_weights, two.topic_weights)
    topic, group = one.log_probabilities("공부가 안 돼요", Letters().embed_query("공부가 안 돼요"))
    assert np.exp(topic).sum() == pytest.approx(1, abs=1e-4)
    assert np.exp(group).sum() == pytest.approx(1, abs=1e-4)
