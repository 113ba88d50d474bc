"""Own documents: files of a folder → chunks that are embedded and quoted with their file and place.

LangChain's loaders read the files. A file that cannot be read is told with its reason and passed over: one broken PDF must not
keep a school's other papers from being found, and must not be missing without a word.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from backend.errors import JindamError
from backend.files import encoding_of
from backend.plain_text import without_markup

if TYPE_CHECKING:
    from langchain_core.document_loaders import BaseLoader

SUFFIXES = (".md", ".txt", ".pdf", ".docx", ".csv", ".json")

_CHUNK, _OVERLAP = 450, 60
"""Characters. About the length of a major's section, and well inside the 512 tokens that E5 reads."""
_SEPARATORS = ["\n\n", "\n", "다. ", "요. ", ". ", "? ", " ", ""]
_LARGEST = 50_000_000  # bytes of one file; more is no document that somebody wrote

# Every scalar of a JSON value on its own line, behind the keys that lead to it.
_JQ = (
    'if type == "array" then .[] else . end | . as $value | [paths(scalars) as $path | '
    '($path | map(select(type == "string")) | join(" ")) + ": " + ($value | getpath($path) | tostring)] '
    '| if length == 0 then ($value | tostring) else join("\n") end'
)


class Chunk(BaseModel):
    """A piece of an own document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """File and running number: ``school/rules.pdf#12``."""
    file: str
    """Path below the folder's parent, so that a reader knows it again."""
    place: str
    """쪽, 행 or 항목 of the file; empty where the file has one part."""
    text: str

    @property
    def embedded_text(self) -> str:
        """What is embedded: the text under the file's name, which often says what it is about."""
        return f"{Path(self.file).stem}\n{self.text}"


@dataclass(frozen=True)
class Skipped:
    """A file that was not read."""

    file: str
    why: str


def files_of(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """All files below the paths with the names that they are known by, sorted; hidden files and links are left out.

    Raises:
        JindamError: a path does not exist, or two files would have the same name.

    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise JindamError(
                f"{path}을(를) 찾을 수 없습니다.", why="그런 파일이나 폴더가 없습니다.", fix="경로를 확인해 주세요."
            )
        root = path.resolve()
        inside = sorted(file for file in root.rglob("*") if file.is_file() and not file.is_symlink()) if root.is_dir() else [root]
        for file in inside:
            name = file.relative_to(root.parent).as_posix()
            if any(part.startswith(".") for part in file.relative_to(root).parts):
                continue
            if found.setdefault(name, file) != file:
                raise JindamError(
                    f"이름이 같은 파일이 둘 있습니다: {name}",
                    why=f"{found[name]}과(와) {file}이(가) 같은 이름으로 인용됩니다.",
                    fix="둘 가운데 한 폴더의 이름을 바꾸어 주세요.",
                )
    return sorted(((file, name) for name, file in found.items()), key=lambda pair: pair[1])


def read_documents(
    files: Sequence[tuple[Path, str]], progress: Callable[[int, int], None] | None = None
) -> tuple[list[Chunk], list[Skipped]]:
    """The chunks of files given as (file, name), and what was passed over.

    Raises:
        JindamError: the packages that read documents are not installed.

    """
    try:
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    except ImportError as error:
        raise _without_packages(error) from error
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=_CHUNK, chunk_overlap=_OVERLAP, separators=_SEPARATORS, keep_separator="end"
    )
    chunks: list[Chunk] = []
    skipped: list[Skipped] = []
    for done, (file, name) in enumerate(files, 1):
        try:
            parts = [(place, piece) for place, text in _parts(file) for piece in splitter.split_text(without_markup(text))]
            pieces = [(place, piece.strip()) for place, piece in parts if any(map(str.isalnum, piece))]
            if not pieces:
                raise _UnreadableError("글이 들어 있지 않습니다(그림으로 된 PDF는 먼저 글자로 바꾸어야 합니다).")
            chunks += [Chunk(id=f"{name}#{n}", file=name, place=place, text=text) for n, (place, text) in enumerate(pieces, 1)]
        except _UnreadableError as error:
            skipped.append(Skipped(name, str(error)))
        if progress:
            progress(done, len(files))
    return chunks, skipped


class _UnreadableError(Exception):
    """A file that gives no text; the message says why."""


def _parts(file: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each page, row or entry."""
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise _UnreadableError(f"{suffix or '확장자 없는'} 파일은 읽지 않습니다. 읽는 것: {' '.join(SUFFIXES)}")
    if file.stat().st_size > _LARGEST:
        raise _UnreadableError(f"{_LARGEST // 1_000_000} MB보다 큽니다.")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its complaints about a file are told as the file's reason
    try:
        documents = _loader(file, suffix).load()
    except _UnreadableError:
        raise
    except ImportError as error:
        raise _without_packages(error) from error
    except Exception as error:  # whatever a broken file does to its parser
        reason = error.__cause__ or error
        raise _UnreadableError(
            f"열 수 없습니다: {str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__}"
        ) from error
    for number, document in enumerate(documents, 1):
        page = document.metadata.get("page")
        place = f"{page + 1}쪽" if suffix == ".pdf" and isinstance(page, int) else ""
        if suffix in (".csv", ".json") and len(documents) > 1:
            place = f"{number}행" if suffix == ".csv" else f"{number}번째 항목"
        yield place, document.page_content


def _loader(file: Path, suffix: str) -> BaseLoader:
    from langchain_community.document_loaders import CSVLoader, Docx2txtLoader, JSONLoader, PyPDFLoader, TextLoader

    if suffix == ".pdf":
        return PyPDFLoader(str(file))
    if suffix == ".docx":
        return Docx2txtLoader(str(file))
    if suffix == ".json":
        return JSONLoader(str(file), jq_schema=_JQ, text_content=True)
    try:
        encoding = encoding_of(file)
    except UnicodeDecodeError as error:
        raise _UnreadableError("글자를 읽을 수 없습니다. UTF-8로 저장해 주세요.") from error
    return CSVLoader(str(file), encoding=encoding) if suffix == ".csv" else TextLoader(str(file), encoding=encoding)


def _without_packages(error: ImportError) -> JindamError:
    return JindamError(
        "문서를 읽는 데 필요한 패키지가 없습니다.",
        why=f"{error.name or error}을(를) 찾지 못했습니다.",
        fix="pip install 'jindam[docs]' -c constraints.txt 로 설치해 주세요.",
    )
