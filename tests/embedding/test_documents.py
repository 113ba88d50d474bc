from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from backend.embedding.documents import Chunk, files_of, read_documents
from backend.errors import JindamError


def _pdf(file: Path, *pages: str) -> None:
    """A PDF of Latin text, written by hand: what a reader must find is which page says what."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n, text in enumerate(pages):
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {5 + 2 * n} 0 R "
        objects.append(page + "/Resources << /Font << /F1 3 0 R >> >> >>")
        stream = f"BT /F1 20 Tf 50 700 Td ({text}) Tj ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for n, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{n} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    file.write_bytes(out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode() + trailer.encode())


def _docx(file: Path, text: str) -> None:
    body = f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document {space}><w:body>{body}</w:body></w:document>")


@pytest.fixture
def school(tmp_path: Path) -> Path:
    folder = tmp_path / "school"
    (folder / "안내").mkdir(parents=True)
    (folder / "안내" / "상담실.md").write_text("# 상담실\n\n본관 3층입니다. <script>alert(1)</script>", encoding="utf-8")
    (folder / "실습.txt").write_bytes("신청은 3월에 받습니다.".encode("cp949"))
    (folder / "동아리.csv").write_text("이름,요일\n로봇부,화요일\n방송부,매일\n", encoding="utf-8-sig")
    (folder / "행사.json").write_text(json.dumps([{"제목": "특강", "때": {"날": "5월"}}, {"제목": "면접"}]), encoding="utf-8")
    _pdf(folder / "rules.pdf", "First page on leave", "Second page on field trips")
    _docx(folder / "편지.docx", "학부모님께 드립니다.")
    return folder


def _by_file(chunks: list[Chunk]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for chunk in chunks:
        found.setdefault(chunk.file, []).append((chunk.place, chunk.text))
    return found


def test_every_kind_of_file_is_read_with_its_place(school: Path) -> None:
    steps: list[tuple[int, int]] = []
    chunks, skipped = read_documents(files_of([school]), lambda *step: steps.append(step))
    assert skipped == []
    assert steps[-1] == (6, 6)
    assert _by_file(chunks) == {
        "school/안내/상담실.md": [("", "# 상담실\n\n본관 3층입니다.")],
        "school/실습.txt": [("", "신청은 3월에 받습니다.")],
        "school/동아리.csv": [("1행", "이름: 로봇부\n요일: 화요일"), ("2행", "이름: 방송부\n요일: 매일")],
        "school/행사.json": [("1번째 항목", "제목: 특강\n때 날: 5월"), ("2번째 항목", "제목: 면접")],
        "school/rules.pdf": [("1쪽", "First page on leave"), ("2쪽", "Second page on field trips")],
        "school/편지.docx": [("", "학부모님께 드립니다.")],
    }


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("broken.pdf", b"%PDF-1.4 broken", "열 수 없습니다"),
        ("broken.docx", b"PK", "열 수 없습니다"),
        ("broken.json", b'{"a":', "열 수 없습니다"),
        ("empty.txt", b"  \n", "글이 들어 있지 않습니다"),
        ("binary.txt", b"\xff\xfe\x00\x81", "UTF-8"),
        ("old.hwp", b"x", ".hwp 파일은 읽지 않습니다"),
    ],
)
def test_what_cannot_be_read_is_told_and_never_fatal(school: Path, name: str, content: bytes, why: str) -> None:
    (school / name).write_bytes(content)
    chunks, (skipped,) = read_documents(files_of([school]))
    assert len({chunk.file for chunk in chunks}) == 6
    assert skipped.file == f"school/{name}"
    assert why in skipped.why


def test_a_long_text_is_cut_at_sentences(tmp_path: Path) -> None:
    sentences = [f"{n}번째 규칙은 서로의 말을 끝까지 듣는다는 것이다. " for n in range(80)]
    (tmp_path / "긴글.txt").write_text("".join(sentences), encoding="utf-8")
    chunks, _ = read_documents(files_of([tmp_path / "긴글.txt"]))
    assert len(chunks) > 3
    assert all(len(chunk.text) <= 450 and chunk.text.endswith("다.") for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert all(any(sentence.strip() in chunk.text for chunk in chunks) for sentence in sentences)


def test_hidden_files_and_links_are_left_out(school: Path) -> None:
    (school / ".git").mkdir()
    (school / ".git" / "a.txt").write_text("가")
    (school / "link.txt").symlink_to(school / "실습.txt")
    assert len(files_of([school])) == 6


def test_wrong_paths_are_refused(school: Path, tmp_path: Path) -> None:
    with pytest.raises(JindamError, match="찾을 수 없습니다"):
        files_of([tmp_path / "none"])
    other = tmp_path / "other" / "school"
    other.mkdir(parents=True)
    (other / "실습.txt").write_text("가")
    with pytest.raises(JindamError, match="이름이 같은"):
        files_of([school, other])
    assert len(files_of([school, school / "안내"])) == 7
