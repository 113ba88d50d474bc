"""The one error a user is meant to read."""

from __future__ import annotations


class JindamError(Exception):
    """A failure told as what happened, why, and what to do, in the reader's language (Korean).

    Anything else that escapes is a bug; this one is an answer to the person in front of the program.
    """

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  까닭: {self.why}\n  할 일: {self.fix}"
