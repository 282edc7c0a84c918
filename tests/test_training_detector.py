"""What the detector's training takes for a mention, for none, and for neither."""

from __future__ import annotations

import numpy as np
import torch

from modeling_nerret.detection import SHAPES, MentionProbe, ProbeConfig
from modeling_nerret.forms import WORD
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.features import WordStates
from modeling_nerret.training.batches.words import Names, Words, stack_words
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.stages.detector import measure_probe


def annotate_marks(marked_text: str) -> Annotated:
    """A text in which mentions stand in brackets."""
    text, spans = "", {}
    for number, piece in enumerate(marked_text.replace("]", "[").split("[")):
        if number % 2:
            spans[Span(len(text), len(text) + len(piece))] = ("thing",)
        text += piece
    return Annotated(marked_text, text, spans)


TEXTS = [annotate_marks("she read [Mathematics] in [Oslo]"), annotate_marks("mathematics, said the Bank of oslo")]
TEXTS += [annotate_marks("[it] is a film"), *[annotate_marks("it rained and it froze") for _ in range(4)]]


def test_an_unmarked_name_is_unsure_if_it_is_marked_often_enough_elsewhere() -> None:
    names = Names([TEXTS])
    words = [np.array([match.span() for match in WORD.finditer(text.text)]) for text in TEXTS]
    unsure = [names.unsure(text, places) for text, places in zip(TEXTS, words, strict=True)]
    assert unsure[0] == []  # what is a mention is sure
    assert unsure[1] == [(0, 0), (6, 0)]  # mathematics, oslo
    assert unsure[3] == []  # "it" is a name once in nine times
    names = Names([[annotate_marks("rain in [New York]"), annotate_marks("[New York City]")]])
    words = np.array([[0, 3], [4, 8], [9, 13]])
    assert names.unsure(annotate_marks("New York City"), words) == [(0, 1), (0, 2)]
    assert names.unsure(annotate_marks("[New York City]"), words) == []  # a part of a mention is none


class Oracle(MentionProbe):
    """A probe that finds a name in the first word and a phrase in the second."""

    def forward(self, first: torch.Tensor, last: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(first), 2, 3, 2), -9.0)
        logits[:, 0, 0, 0] = logits[:, 1, 1, 0] = 9
        return logits


def test_phrases_are_no_wrong_names() -> None:
    zeros = np.zeros((3, 4), dtype=np.float16)
    states = WordStates(0, np.array([[0, 1], [2, 3], [4, 5]]), zeros, zeros, np.zeros((3, SHAPES), dtype=np.float32))
    probe = Oracle(ProbeConfig(4, max_words=2, phrases=True))
    for kind, gold in ((0, (0, 0)), (1, (1, 0))):
        numbers = measure_probe(probe, [Words(states, [gold], [], kind)])
        assert (numbers["precision"], numbers["recall"], numbers["proposals_per_mention"]) == (1, 1, 1)


def test_what_is_unsure_is_neither_a_mention_nor_none() -> None:
    zeros = np.zeros((3, 4), dtype=np.float16)
    states = WordStates(0, np.array([[0, 1], [2, 3], [4, 5]]), zeros, zeros, np.zeros((3, SHAPES), dtype=np.float32))
    probe = ProbeConfig(4, max_words=2, phrases=True)
    names, phrases = (Words(states, gold=[(0, 0)], unsure=[(1, 1)], kind=kind) for kind in (0, 1))
    plane = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.0, -1.0]])  # the last ends too late
    void = torch.full_like(plane, -1)
    gold = stack_words([names, phrases], probe)["gold"]  # (texts, kinds, words, max_words)
    torch.testing.assert_close(gold, torch.stack([torch.stack([plane, void]), torch.stack([void, plane])]))
