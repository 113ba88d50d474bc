"""Text from elsewhere, with nothing in it that a page or a terminal would act on."""

from __future__ import annotations

import html
import re
import unicodedata

_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li)\b[^<>]*>", re.IGNORECASE)
_HIDDEN = re.compile(
    r"<\s*(script|style|iframe|object|svg|template)\b.*?(?:<\s*/\s*\1\s*>|$)|<!--.*?(?:-->|$)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<\s*[/!?]?[a-zA-Z][^<>]*(?:>|$)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\s*(?:\([^)]*\)|\[[^\]]*\])")
_LINK = re.compile(r"\[([^\]]+)\]\s*\((?:[^()]|\([^()]*\))*\)")
_SCHEME = re.compile(r"\b(?:javascript|vbscript|data)\s*:\s*\S*", re.IGNORECASE)


def without_markup(text: str) -> str:
    """``text`` without HTML (scripts with their content), Markdown images, link targets, script addresses, control characters.

    What a reader would have seen stays: the text of a link, the words between tags. Entities are decoded first, as often as they
    were encoded, so that nothing comes back by decoding later. Text without any of this is returned as it is.
    """
    before = None
    while before != text:
        before, text = text, html.unescape(text)
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf"))
    before = None
    while before != text:  # taking one away can join the halves of another
        before = text
        text = _HIDDEN.sub(" ", text)
        text = _BREAK.sub("\n", text)
        for pattern, kept in ((_TAG, ""), (_IMAGE, ""), (_LINK, r"\1"), (_SCHEME, "")):
            text = pattern.sub(kept, text)
    return text
