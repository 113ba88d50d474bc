"""From a dialogue to token ids and to the labels that the loss counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.text import Text
from transformers import PreTrainedTokenizerBase

from backend.errors import JindamError
from backend.models.gemma import without_control_tokens
from finetune.data import Message

IGNORED = -100
"""The label of a token that the loss does not count (PyTorch's ``ignore_index``)."""

CHAT_TEMPLATE = (Path(__file__).parent / "templates" / "gemma3.jinja").read_text(encoding="utf-8")

_END_OF_TURN = "<end_of_turn>"


@dataclass(frozen=True)
class Encoded:
    """One dialogue for training."""

    input_ids: list[int]
    labels: list[int]
    """As long as ``input_ids``: what should stand at each place, or :data:`IGNORED`. They differ from the ids in one thing: where
    a reply ends, the label is the stop token that the base can emit."""

    @property
    def scored(self) -> int:
        """How many tokens the loss counts. The first token of a row is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


@dataclass(frozen=True)
class Layout:
    """How dialogues become tokens.

    ``gemma`` is Google's template (``templates/gemma3.jinja``). ``seed`` gives the system text and the replies turns of their own,
    ``system`` and ``assistant``, which Gemma has never seen.
    """

    tokenizer: PreTrainedTokenizerBase
    stop: Literal["<eos>", "<end_of_turn>"] = "<eos>"
    """The token that ends a reply. ``<end_of_turn>`` where the base has learnt it (every ``-it`` checkpoint)."""
    kind: Literal["gemma", "seed"] = "gemma"
    scored: Literal["replies", "everything"] = "replies"

    @property
    def stop_id(self) -> int:
        """The id of :attr:`stop`."""
        return self._id(self.stop)

    def encode(self, messages: Sequence[Message]) -> Encoded:
        """Token ids and labels of a dialogue that ends with a reply.

        The inputs are the template's text whatever the stop token is: only the label at the end of a reply changes.

        Raises:
            JindamError: no token is left for the loss to count.

        """
        ids, labels = [self._id("<bos>")], [IGNORED]
        for text, role in self._pieces(messages):
            piece = self._ids(text)
            ids += piece
            if self.scored == "everything":
                labels += [self.stop_id if i == self._id(_END_OF_TURN) else i for i in piece]
            elif role == "reply":
                labels += piece
            elif role == "stop":
                labels += [self.stop_id] + [IGNORED] * (len(piece) - 1)
            else:
                labels += [IGNORED] * len(piece)
        encoded = Encoded(ids, labels)
        if not encoded.scored:
            raise JindamError(
                "배울 것이 없는 대화입니다.",
                why="손실에 셀 답의 토큰이 하나도 없습니다.",
                fix="assistant의 글이 비어 있지 않은지 확인해 주세요.",
            )
        return encoded

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a dialogue that waits for the model's reply."""
        pieces = [text for text, _ in self._pieces(messages)] + [self._opening]
        return [self._id("<bos>"), *(i for text in pieces for i in self._ids(text))]

    def show(self, encoded: Encoded) -> Text:
        """The tokens of ``encoded`` as text: green is scored, grey is not, and a stop token appears where the loss asks for it."""
        view = Text()
        for token, label in zip(encoded.input_ids, encoded.labels, strict=True):
            text = self._decode(token)
            if label == IGNORED:
                view.append(text, style="dim")
            elif label == token:
                view.append(text, style="green")
            else:
                view.append(self._decode(label), style="bold green").append(text, style="dim")
        return view

    @property
    def sha256(self) -> str:
        """The hash of what this layout makes of a fixed dialogue: an adapter works with this layout and no other."""
        turns = [("system", "가"), ("user", "나"), ("assistant", "다"), ("user", "라"), ("assistant", "마")]
        messages = [Message(role=role, content=content) for role, content in turns]  # type: ignore[arg-type]
        text = "".join(text for text, _ in self._pieces(messages))
        return hashlib.sha256(f"{text}{self.stop}".encode()).hexdigest()

    @property
    def _opening(self) -> str:
        return f"<start_of_turn>{'model' if self.kind == 'gemma' else 'assistant'}\n"

    def _pieces(self, messages: Sequence[Message]) -> Iterator[tuple[str, Literal["prompt", "reply", "stop"]]]:
        """Text by text. Tokens never cross these borders: control tokens stand on one side of each."""
        system = ""
        for message in messages:
            content = without_control_tokens(message.content)
            if message.role == "assistant":
                yield self._opening, "prompt"
                yield content, "reply"
                yield f"{_END_OF_TURN}\n", "stop"
            elif self.kind == "gemma" and message.role == "system":
                system = f"{content}\n\n"
            else:
                yield f"<start_of_turn>{message.role}\n{system}{content}{_END_OF_TURN}\n", "prompt"
                system = ""

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _id(self, token: str) -> int:
        number = self.tokenizer.convert_tokens_to_ids(token)
        if not isinstance(number, int) or number == self.tokenizer.unk_token_id:
            raise JindamError(
                "Gemma의 토크나이저가 아닙니다.", why=f"{token} 토큰이 없습니다.", fix="model.base에 Gemma 3 모델을 적어 주세요."
            )
        return number

    def _decode(self, token: int) -> str:
        return str(self.tokenizer.decode([token], skip_special_tokens=False))
