"""Which encoding a text file has that is not UTF-8: guessed from its bytes, or not at all if that is unsure."""

from __future__ import annotations

import codecs
import re
import unicodedata
from importlib.util import find_spec
from typing import BinaryIO

from .lines import has_mark
from .packed import DAMAGE

PACKAGE = "chardet"
CHUNK, SAMPLE = 1 << 20, 1 << 16  # bytes that are read at once, and that are looked at
# What programs have written, and write: of others nobody would know that a guess is wrong
USUAL = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-15", "koi8-r", "koi8-u", "mac-roman", "cp850"),
    *("cp932", "euc_jis_2004", "gb18030", "big5hkscs", "cp949"),
)
RARE = ("mac-roman", "cp850")  # are taken where they are the best guess, and make no other guess unsure
LEAST = 30  # bytes: less says too little
SURE = 0.1  # confidence of chardet: a text in a Western language of some lines has 0.15, an Asian one 0.8
RIVAL = 0.97  # share of the best guess's confidence from which another guess makes it unsure
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def check_encoding(name: str) -> str:
    """The name of an encoding of text, as Python knows it.

    Raises:
        ValueError: Python does not know it.

    Example:
        >>> check_encoding("Latin1")
        'iso8859-1'
    """
    try:
        codec = codecs.lookup(name)
    except LookupError:
        codec = None
    if codec is None or not codec._is_text_encoding:  # type: ignore[attr-defined]
        raise ValueError(f"there is no encoding {name!r:.40}; write one such as cp1252, cp1251, shift_jis or utf-16")
    return codec.name


def guess_encoding(file: BinaryIO) -> str:
    """The encoding of a text that is not valid UTF-8; empty if it is, or if the guess would be unsure.

    All of the text is read, so that one which begins as ASCII is not taken for UTF-8.
    """
    if find_spec(PACKAGE) is None:
        return ""
    try:
        sample = _sample(file)
    except DAMAGE:  # which reading will name
        return ""
    if len(sample) < LEAST or _CONTROLS.search(sample) or _is_damaged_utf8(sample):
        return ""
    import chardet

    guesses = chardet.detect_all(sample, ignore_threshold=True, include_encodings=USUAL, compat_names=False)
    return _choose([(guess["encoding"] or "", guess["confidence"]) for guess in guesses], sample)


def _sample(file: BinaryIO) -> bytes:
    """The beginning of a text and the part from the first byte on that is no UTF-8; empty if all is UTF-8."""
    decoder, head, rest = codecs.getincrementaldecoder("utf-8")(), b"", b""
    while chunk := file.read(CHUNK):
        if not head:
            head = chunk[:SAMPLE]
            if has_mark(head):
                return b""
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            start = max(error.start - len(rest), 0)
            is_near = start < len(head) and chunk[:SAMPLE] == head
            return head if is_near else head[: SAMPLE // 2] + chunk[start : start + SAMPLE // 2]
        rest = decoder.getstate()[0]
    return head if rest else b""


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether most that is not ASCII is valid UTF-8: in another encoding that hardly happens."""
    text = sample.decode("utf-8", "replace")
    damage = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - damage >= damage


def _choose(guesses: list[tuple[str, float]], sample: bytes) -> str:
    """The best of some guesses, unless it is unsure, or another one that is as good reads something else."""
    texts = [(name, confidence, _decode(sample, name)) for name, confidence in guesses]
    likely = [guess for guess in texts if guess[2] is not None]
    if not likely:
        return ""
    name, best, text = likely[0]
    rivals = [reading for rival, score, reading in likely[1:] if score >= RIVAL * best and rival not in RARE]
    return name if best >= SURE and all(reading == text for reading in rivals) else ""


def _decode(sample: bytes, encoding: str) -> str | None:
    """The sample as a text; `None` if nobody would have written it so."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)  # its end may be cut off
    except (UnicodeDecodeError, LookupError):
        return None
    return None if _is_strange(text) else text


def _is_strange(text: str) -> bool:
    """Whether a text has control characters, or signs inside words.

    Example:
        >>> _is_strange("Miko\u00b3aj Kopernik"), _is_strange("Miko\u0142aj Kopernik")
        (True, False)
    """
    if any(unicodedata.category(character) == "Cc" and character not in "\t\n\r\f\v\x1b\x85" for character in text):
        return True
    return re.search(r"[^\W\d_][¡-¶¸-¿×÷‚„†‡‰‹›«»][^\W\d_]", text) is not None
