"""Hostile texts: all of Unicode, separators, invisible characters, emoji, long words and large texts of a single unit.

  python -m benchmarks.reliability.texts --count 2000

Texts of several kinds go through the default model with its own detector, and every promise about mentions is checked:
their places, edges and lengths, that none crosses a break, and that the stored text is the given one. The large texts
measure that time grows with the text alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from benchmarks.reliability.table import print_table
from modeling_nerret.characters import BREAK, INVISIBLES
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder
from modeling_nerret.forms import MARKS, WORD
from modeling_nerret.mentions import LONGEST, MOST_WORDS
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span

NAMES = ("Ana Ruiz", "Jo Ek", "Marie Curie", "Lisbon", "New York City", "Bank of England", "Jose\u0301", "東京", "Łódź")
JOINTS = (
    "\n\n",
    "\r\n\r\n",
    "\n \n",
    "\t",
    "\f",
    "\v",
    "\x1c",
    "\x1e",
    "\u2029",
    "\x85\x85",
    "\n",
    " ",
    ", ",
    "😀",
    "❤️",
)
INVISIBLE = "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff"
EMOJI = ("😀", "👩🏽\u200d🚀", "🇵🇹", "❤️", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f", "☀", "🏃\u200d♀️")
# Units of large texts
UNITS = (
    "x",
    "x ",
    "\n",
    ".",
    "→",
    "😀",
    "😀x",
    "\u0301",
    "x\u0301\u0323",
    "\u200b",
    "x\u200b",
    "\t",
    "\tx",
    "東",
    "\x00",
    "ก็",
)


def main() -> int:
    """Print a row for each kind of text; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="texts of each kind (default: 2000)")
    parser.add_argument("--size", type=int, default=100_000, metavar="N", help="characters of a large text")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(DEFAULT, "cpu")
    if checkpoint.detector is None:
        raise ValueError("the default model has no detector")
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    rows = []
    for kind, make in KINDS.items():
        rng = random.Random(f"{options.seed} {kind}")
        rows.append(attack(encoder, kind, [text for text in (make(rng) for _ in range(options.count)) if text.strip()]))
    for unit in UNITS:
        text = "Ana Ruiz met " + unit * (options.size // len(unit)) + " Jo Ek"
        rows.append(attack(encoder, f"{options.size:,} characters of {unit!a}", [text]))
    print_table(rows)
    return 1 if any(row["faults"] for row in rows) else 0


def attack(encoder: Encoder, kind: str, texts: Sequence[str]) -> dict[str, Any]:
    """Encode texts of one kind, and print each fault."""
    start = time.perf_counter()
    results = list(encoder.encode(Document(str(number), text) for number, text in enumerate(texts)))
    seconds = time.perf_counter() - start
    complaints = [
        (text, fault) for text, result in zip(texts, results, strict=True) for fault in faults_of(text, result)
    ]
    for text, fault in complaints[:5]:
        print(f"{kind}: {fault} in {text[:200]!a}", file=sys.stderr)
    mentions = sum(len(result.mentions) for result in results)
    return {
        "kind": kind,
        "texts": len(texts),
        "mentions": mentions,
        "faults": len(complaints),
        "seconds": f"{seconds:.1f}",
    }


def faults_of(text: str, result: EncodedDocument) -> Iterator[str]:
    """Which promises the mentions of a text break."""
    if result.document.text != text:
        yield "another text is stored"
    if len(result.vectors) != len(result.mentions):
        yield f"{len(result.mentions)} mentions have {len(result.vectors)} vectors"
    yield from span_faults(text, result.mentions)


def span_faults(text: str, mentions: Sequence[Span]) -> Iterator[str]:
    """Which promises the places of mentions break."""
    if list(mentions) != sorted(mentions):
        yield "mentions are not in order"
    for start, end, score in mentions:
        mention = text[start:end]
        if not 0 <= start < end <= len(text) or not 0 <= score <= 1:
            yield f"[{start}, {end}) with score {score} is no mention"
            continue
        if len(mention) > LONGEST or len(WORD.findall(mention)) > MOST_WORDS:
            yield f"{mention[:40]!a} has {len(mention)} characters"
        if BREAK.search(mention):
            yield f"{mention!a} crosses a break"
        if any(edge.isspace() or INVISIBLES.match(edge) for edge in (mention[0], mention[-1])):
            yield f"{mention!a} begins or ends with what is invisible"
        if end - start < LONGEST and _is_mark(text[end : end + 1]):
            yield f"{mention!a} is cut off the mark {text[end]!a}"
        if (
            _is_mark(mention[0])
            and start > 0
            and not text[start - 1].isspace()
            and not INVISIBLES.match(text[start - 1])
        ):
            yield f"{mention!a} begins with a mark of the letter before it"


def _is_mark(letter: str) -> bool:
    return letter != "" and unicodedata.category(letter)[0] == "M" and not INVISIBLES.match(letter)


def _random_unicode(rng: random.Random) -> str:
    return "".join(chr(_code(rng)) for _ in range(rng.randint(1, 200)))


def _code(rng: random.Random) -> int:
    """A code point that is no surrogate; small ones are as likely as large ones."""
    while True:
        code = rng.randrange(rng.choice((0x100, 0x3000, 0x10000, 0x110000)))
        if not 0xD800 <= code < 0xE000:
            return code


def _lists(rng: random.Random) -> str:
    return "".join(rng.choice(NAMES) + rng.choice(JOINTS) for _ in range(rng.randint(1, 12)))


def _prose(rng: random.Random, insert: Callable[[str], str]) -> str:
    first, second, third = (insert(rng.choice(NAMES)) for _ in range(3))
    return f"{first} met {second} in {third}. It was a good day."


def _with_invisible(rng: random.Random) -> str:
    def insert(name: str) -> str:
        letters = list(name)
        for _ in range(rng.randint(1, 3)):
            letters.insert(rng.randint(0, len(letters)), rng.choice(INVISIBLE))
        return "".join(letters)

    return _prose(rng, insert)


def _with_emoji(rng: random.Random) -> str:
    return _prose(rng, lambda name: rng.choice((*EMOJI, "")) + name + rng.choice((*EMOJI, "")))


def _with_marks(rng: random.Random) -> str:
    marks = [mark for mark in MARKS if mark != "-"]
    return _prose(rng, lambda name: "".join(letter + rng.choice(("", rng.choice(marks))) for letter in name))


def _decomposed(rng: random.Random) -> str:
    return unicodedata.normalize("NFD", _prose(rng, str))


def _long_words(rng: random.Random) -> str:
    return _prose(rng, lambda name: name + rng.choice("xé→.東\u0301") * rng.randint(50, 1000))


def _control(rng: random.Random) -> str:
    return _prose(rng, lambda name: "".join(letter + rng.choice(("", chr(rng.randrange(32)))) for letter in name))


KINDS: dict[str, Callable[[random.Random], str]] = {
    "random Unicode": _random_unicode,
    "lists of names": _lists,
    "invisible characters in names": _with_invisible,
    "emoji beside names": _with_emoji,
    "marks on letters of names": _with_marks,
    "decomposed names": _decomposed,
    "long words": _long_words,
    "control characters in names": _control,
}

if __name__ == "__main__":
    sys.exit(main())
