from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from backend.embedding.index import ensure_index, manifest_of, open_index, read_manifest
from backend.embedding.majors import Passage, Section
from backend.errors import JindamError

EMBEDDINGS = DeterministicFakeEmbedding(size=8)
PASSAGES = [
    Passage(f"{name}/summary", name, "사회", Section.SUMMARY, f"{name} 소개") for name in ("법학과", "행정학과", "경제학과")
]
WANTED = manifest_of("majors", PASSAGES, "fake")


def test_it_is_built_once_found_again_and_rebuilt_on_request(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    steps: list[tuple[int, int]] = []
    assert ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS, progress=lambda *step: steps.append(step))
    assert steps[-1] == (3, 3)
    assert not ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)
    assert ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS, rebuild=True)
    found = open_index(folder, WANTED, EMBEDDINGS).similarity_search_by_vector(
        EMBEDDINGS.embed_query(PASSAGES[1].embedded_text), k=1
    )
    assert found[0].metadata["major"] == "행정학과"


def test_distances_are_cosine(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)
    doubled = [2 * x for x in EMBEDDINGS.embed_query(PASSAGES[0].embedded_text)]
    ((_, distance),) = open_index(folder, WANTED, EMBEDDINGS).similarity_search_by_vector_with_relevance_scores(doubled, k=1)
    assert abs(distance) < 1e-5


def test_other_data_and_another_model_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    with pytest.raises(JindamError, match="색인이 없습니다"):
        open_index(folder, WANTED, EMBEDDINGS)
    ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)
    with pytest.raises(JindamError, match="다른 임베딩 모델"):
        open_index(folder, manifest_of("majors", PASSAGES, "other"), EMBEDDINGS)
    with pytest.raises(JindamError, match="맞지 않습니다") as caught:
        open_index(folder, manifest_of("majors", PASSAGES[:2], "fake"), EMBEDDINGS)
    assert "jindam index" in caught.value.fix


def test_a_build_that_breaks_off_leaves_the_old_index(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_index(folder, manifest_of("majors", PASSAGES[:2], "fake"), PASSAGES[:2], EMBEDDINGS, progress=interrupted)
    assert read_manifest(folder) == WANTED
    assert {path.name for path in tmp_path.iterdir()} == {"majors", "majors.lock"}
    assert open_index(folder, WANTED, EMBEDDINGS)


def test_a_folder_without_manifest_is_no_index(tmp_path: Path) -> None:
    folder = tmp_path / "majors"
    ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)
    (folder / "manifest.json").write_text('{"layout": 1', encoding="utf-8")
    assert read_manifest(folder) is None
    assert ensure_index(folder, WANTED, PASSAGES, EMBEDDINGS)


def test_two_processes_at_once_build_one_index(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.embedding.test_index import *; "
        "print(ensure_index(Path(sys.argv[1]), WANTED, PASSAGES, EMBEDDINGS))"
    )
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "majors")], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(2)
    ]
    printed = sorted(process.communicate(timeout=120)[0].strip() for process in started)
    assert printed == ["False", "True"]
    assert open_index(tmp_path / "majors", WANTED, EMBEDDINGS)
