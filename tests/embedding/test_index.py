from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from backend.embedding.contents import Contents, read_contents
from backend.embedding.documents import Chunk
from backend.embedding.index import Changes, ensure_index, manifest_of, open_index, read_manifest
from backend.embedding.majors import Major
from backend.errors import JindamError

EMBEDDINGS = DeterministicFakeEmbedding(size=8)
ROOT = Path(__file__).parents[2]


def _major(name: str, summary: str = "소개") -> Major:
    return Major(major=name, summary=f"{name} {summary}", interest="적성", jobs=["직업"])


CONTENTS = Contents(
    majors=tuple(_major(name) for name in ("법학과", "행정학과", "경제학과")),
    chunks=(Chunk(id="a.md#1", file="a.md", place="", text="휴학은 두 번까지 할 수 있다"),),
)
WANTED = manifest_of("majors", CONTENTS, "fake")


def _ensure(folder: Path, contents: Contents = CONTENTS, server: str | None = None, **options: bool) -> Changes | None:
    return ensure_index(folder, manifest_of("majors", contents, "fake", server), contents, EMBEDDINGS, **options)  # type: ignore[arg-type]


def test_it_is_built_once_found_again_and_rebuilt_on_request(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    steps: list[tuple[int, int]] = []
    changes = ensure_index(folder, WANTED, CONTENTS, EMBEDDINGS, progress=lambda *step: steps.append(step))
    assert changes == Changes(embedded=10, removed=0, kept=0)
    assert steps[-1] == (10, 10)
    assert _ensure(folder) is None
    assert _ensure(folder, rebuild=True) == changes
    index = open_index(folder, WANTED, EMBEDDINGS)
    (found,) = index.majors.similarity_search_by_vector(EMBEDDINGS.embed_query("행정학과 학과 소개\n행정학과 소개"), k=1)
    assert found.metadata["major"] == "행정학과"
    (found,) = index.documents.similarity_search_by_vector(EMBEDDINGS.embed_query("q"), k=5)
    assert found.id == "a.md#1"
    assert index.document_letters is not None
    assert index.document_letters.scores("휴학")[0] > 0
    assert read_contents(folder) == CONTENTS


def test_only_what_changed_is_embedded_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    _ensure(folder)
    changed = CONTENTS.model_copy(
        update={"majors": (_major("법학과"), _major("행정학과", "다른 소개"), _major("무역학과")), "chunks": ()}
    )
    assert _ensure(folder, changed) == Changes(embedded=4, removed=4, kept=5)
    index = open_index(folder, manifest_of("majors", changed, "fake"), EMBEDDINGS)
    held = index.majors.get()
    assert {metadata["major"] for metadata in held["metadatas"]} == {"법학과", "행정학과", "무역학과"}
    assert len(held["ids"]) == 9
    assert index.documents.get()["ids"] == []
    assert index.document_letters is None


def test_distances_are_cosine(tmp_path: Path) -> None:
    _ensure(tmp_path / "majors")
    doubled = [2 * x for x in EMBEDDINGS.embed_query("법학과 학과 소개\n법학과 소개")]
    index = open_index(tmp_path / "majors", WANTED, EMBEDDINGS)
    ((_, distance),) = index.majors.similarity_search_by_vector_with_relevance_scores(doubled, k=1)
    assert abs(distance) < 1e-5


def test_other_data_and_another_model_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    with pytest.raises(JindamError, match="색인이 없습니다"):
        open_index(folder, WANTED, EMBEDDINGS)
    _ensure(folder)
    with pytest.raises(JindamError, match="다른 임베딩 모델"):
        open_index(folder, manifest_of("majors", CONTENTS, "other"), EMBEDDINGS)
    fewer = CONTENTS.model_copy(update={"majors": CONTENTS.majors[:2]})
    with pytest.raises(JindamError, match="맞지 않습니다") as caught:
        open_index(folder, manifest_of("majors", fewer, "fake"), EMBEDDINGS)
    assert "jindam index" in caught.value.fix


def test_another_embedding_model_builds_from_nothing(tmp_path: Path) -> None:
    _ensure(tmp_path / "majors")
    other = manifest_of("majors", CONTENTS, "other")
    assert ensure_index(tmp_path / "majors", other, CONTENTS, DeterministicFakeEmbedding(size=5)) == Changes(10, 0, 0)
    assert open_index(tmp_path / "majors", other, EMBEDDINGS)


def test_a_build_that_breaks_off_leaves_the_old_index_and_goes_on_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "majors"
    _ensure(folder)
    monkeypatch.setattr("backend.embedding.index._BATCH", 2)
    more = CONTENTS.model_copy(update={"majors": (*CONTENTS.majors, _major("무역학과"), _major("회계학과"))})

    def interrupted(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_index(folder, manifest_of("majors", more, "fake"), more, EMBEDDINGS, progress=interrupted)
    assert read_manifest(folder) == WANTED
    assert open_index(folder, WANTED, EMBEDDINGS)
    assert _ensure(folder, more) == Changes(embedded=2, removed=0, kept=14)
    assert {path.name for path in tmp_path.iterdir()} == {"majors", "majors.lock"}


def test_a_stopped_build_of_another_model_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "majors"
    monkeypatch.setattr("backend.embedding.index._BATCH", 2)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_index(folder, WANTED, CONTENTS, EMBEDDINGS, progress=interrupted)
    other = manifest_of("majors", CONTENTS, "other")
    assert ensure_index(folder, other, CONTENTS, DeterministicFakeEmbedding(size=5)) == Changes(10, 0, 0)


def test_a_folder_without_manifest_is_no_index(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    _ensure(folder)
    (folder / "manifest.json").write_text('{"layout": 1', encoding="utf-8")
    assert read_manifest(folder) is None
    assert _ensure(folder)


def test_two_processes_at_once_build_one_index(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.embedding.test_index import _ensure; "
        "print(_ensure(Path(sys.argv[1])) is not None)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "majors")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    printed = sorted(process.communicate(timeout=120)[0].strip() for process in started)
    assert printed == ["False", "True"]
    assert open_index(tmp_path / "majors", WANTED, EMBEDDINGS)


MANY = Contents(chunks=tuple(Chunk(id=f"a.md#{n}", file="a.md", place="", text=f"규칙 {n}") for n in range(3000)))


def test_a_killed_build_goes_on_with_nothing_lost_or_doubled(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.embedding.test_index import MANY, _ensure; "
        "_ensure(Path(sys.argv[1]), MANY)"
    )
    folder, generator = tmp_path / "majors", random.Random(1)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT)
        begun = tmp_path / ".majors.building" / "vectors" / "chroma.sqlite3"
        while not begun.is_file() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(generator.uniform(0.1, 0.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    changes = _ensure(folder, MANY)
    assert changes is None or changes.embedded + changes.kept == 3000
    index = open_index(folder, manifest_of("majors", MANY, "fake"), EMBEDDINGS)
    assert sorted(index.documents.get()["ids"]) == sorted(chunk.id for chunk in MANY.chunks)
    for chunk in MANY.chunks[::250]:
        found = index.documents.similarity_search_by_vector(EMBEDDINGS.embed_query(chunk.embedded_text), k=1)
        assert found[0].id == chunk.id


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(tmp_path_factory.mktemp("chroma"))]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_a_chroma_server_holds_the_vectors(server: str, tmp_path: Path) -> None:
    folder, wanted = tmp_path / "one" / "majors", manifest_of("majors", CONTENTS, "fake", server)
    assert _ensure(folder, server=server) == Changes(10, 0, 0)
    assert _ensure(folder, server=server) is None
    assert not list(folder.rglob("chroma.sqlite3"))
    index = open_index(folder, wanted, EMBEDDINGS)
    (found,) = index.majors.similarity_search_by_vector(EMBEDDINGS.embed_query("행정학과 학과 소개\n행정학과 소개"), k=1)
    assert found.metadata["major"] == "행정학과"
    second = tmp_path / "two" / "majors"  # another machine: the server has it all
    assert _ensure(second, server=server) == Changes(embedded=0, removed=0, kept=10)
    fewer = CONTENTS.model_copy(update={"majors": CONTENTS.majors[:1]})
    assert _ensure(second, fewer, server=server) == Changes(embedded=0, removed=6, kept=4)
    with pytest.raises(JindamError, match="서버의 색인"):  # the first machine is told
        open_index(folder, wanted, EMBEDDINGS)
    assert _ensure(folder, server=server) == Changes(embedded=6, removed=0, kept=4)


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="연결하지 못했습니다") as caught:
        _ensure(tmp_path / "majors", server="http://127.0.0.1:9")
    assert "JINDAM_CHROMA_URL" in caught.value.fix
