"""The probe and the simple detectors: spans of whole words, equal in any batch, equal after saving and loading."""

from __future__ import annotations

import json
import time
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import GivenSpans, MentionProbe, TokenClassifier
from modeling_nerret.detection import ProbeConfig, readable, select, word_shapes, words_of
from modeling_nerret.detectors import load_detector
from modeling_nerret.documents import Document
from modeling_nerret.spans import Span
from modeling_nerret.windows import make_windows
from tests.tiny import byte_bpe, unigram, wordpiece


@pytest.mark.parametrize("tokenizer", [wordpiece(), byte_bpe(), unigram()])
def test_words_of_a_window_have_characters_and_tokens(tokenizer: object) -> None:
    text = "O'Brien's C++ was born\tin 東京, 1905."
    (window,) = make_windows(tokenizer, [text], 500)
    words = words_of(window)
    assert [text[start:end] for start, end in words[:, :2]] == (
        ["O", "'", "Brien", "'", "s", "C", "+", "+", "was", "born", "\t", "in", "東", "京", ",", "1905", "."]
    )
    assert (words[:, 2] <= words[:, 3]).all()


def test_shapes_tell_case_digits_and_place() -> None:
    text = 'The NASA iPhone of 1905. "Ada"'
    (window,) = make_windows(wordpiece(), [text], 500)
    words = words_of(window)
    shapes = dict(zip((text[a:b] for a, b in words[:, :2]), word_shapes(text, words), strict=True))
    assert shapes["The"][8] == 1 and shapes["Ada"][8] == 0  # opens a sentence; a quote stands between
    assert shapes["NASA"][1] == 1 and shapes["iPhone"][4] == 1 and shapes["1905"][3] == 1
    assert shapes["Ada"][11] == 1 and shapes["Ada"][0] == 1


def test_proposals_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    probe = MentionProbe(ProbeConfig(8, size=8, max_words=3, threshold=0.45)).eval()
    texts = ["ada wrote notes in london.", "Paris", "", "the river was born in the city in the notes"]
    windows = make_windows(wordpiece(), texts, 64)
    states = [torch.randn(1, len(window.ids), 8) for window in windows]
    width = max(state.shape[1] for state in states)
    batch = torch.cat([torch.nn.functional.pad(state, (0, 0, 0, width - state.shape[1])) for state in states])
    together = probe.propose([], windows, batch)
    alone = [probe.propose([], [window], state)[0] for window, state in zip(windows, states, strict=True)]
    assert [[span[:2] for span in spans] for spans in together] == [[span[:2] for span in spans] for spans in alone]
    assert any(together) and not together[2]


def test_flat_spans_do_not_overlap_and_nested_spans_do_not_cross() -> None:
    spans = [Span(a, b) for a in range(6) for b in range(a + 1, 7)]
    flat, nested = select(spans, nested=False), select(spans, nested=True)
    assert all(span.end <= successor.start for span, successor in pairwise(flat))
    for left, right in product(nested, nested):
        assert not left.start < right.start < left.end < right.end


def test_the_probe_survives_saving_and_loading(tmp_path: Path) -> None:
    torch.manual_seed(0)
    probe = MentionProbe(ProbeConfig(8, size=4, max_words=2, nested=True)).eval()
    probe.save_pretrained(tmp_path)
    copy = MentionProbe.from_pretrained(tmp_path)
    inputs = (torch.randn(1, 3, 8), torch.randn(1, 3, 8), torch.rand(1, 3, 14))
    assert copy.config == probe.config
    assert torch.equal(copy(*inputs), probe(*inputs))


def test_a_longer_name_beats_a_surer_part_of_it() -> None:
    """ "Communist Party of Greece" is a single name, though "Greece" has the higher score."""
    scores = np.zeros((5, 4), dtype=np.float32)
    scores[0, 3], scores[3, 0], scores[4, 0], scores[0, 0] = 0.3, 0.99, 0.8, 0.2
    probe = MentionProbe(ProbeConfig(8, size=4, max_words=4, threshold=0.1))
    assert [span[:2] for span in probe.choose(scores[None])] == [(0, 4), (4, 5)]
    scores[0, 3] = 0.2  # 4 words at 0.2 make 0.8 expected words; "Greece" makes 0.99
    assert [span[:2] for span in probe.choose(scores[None])] == [(0, 1), (3, 4), (4, 5)]
    probe.config.nested = True
    assert [span[:2] for span in probe.choose(scores[None])] == [(0, 1), (0, 4), (3, 4), (4, 5)]


def test_a_score_tells_names_from_phrases() -> None:
    """Names lie above one half, phrases below it; what is both is a name."""
    chances = np.zeros((2, 3, 2), dtype=np.float32)
    chances[0, 0, 0], chances[1, 0, 0], chances[1, 1, 1], chances[0, 1, 0] = 0.2, 0.9, 0.8, 0.05
    chances[1, 2, 0] = 0.4  # a phrase inside a phrase
    probe = MentionProbe(ProbeConfig(8, max_words=2, threshold=0.1, phrases=True, phrase_threshold=0.3, nested=True))
    spans = probe.choose(chances)
    assert [span[:2] for span in spans] == [(0, 1), (1, 3)]
    assert [span.score for span in spans] == pytest.approx([0.6, 0.4])
    chances[0, 2, 0] = 0.3  # a name inside a phrase
    assert [span[:2] for span in probe.choose(chances)] == [(0, 1), (1, 3), (2, 3)]


def test_what_is_shown_of_a_long_text_is_chosen_in_no_time() -> None:
    group = [Span(0, 10, 0.4), Span(4, 10, 0.45), Span(10, 16, 0.9), Span(12, 16, 0.6), Span(20, 24, 0.1)]
    spans = [
        Span(30 * number + start, 30 * number + end, score) for number in range(5_000) for start, end, score in group
    ]
    start = time.perf_counter()
    visible_spans = readable(spans)
    assert time.perf_counter() - start < 5  # far longer, if each were compared with all others
    assert [span[:2] for span in visible_spans[-4:]] == [
        (149_940, 149_950),
        (149_950, 149_956),
        (149_970, 149_980),
        (149_980, 149_986),
    ]
    assert len(visible_spans) == 10_000


def test_a_detector_of_the_time_before_phrases_loads_and_finds_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    probe = MentionProbe(ProbeConfig(8, size=4, max_words=2, threshold=0.3)).eval()
    probe.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "detector.json").read_text())
    old_settings = {name: settings[name] for name in ("state_size", "size", "max_words", "threshold", "nested")}
    (tmp_path / "detector.json").write_text(json.dumps(old_settings))
    (tmp_path / "checksums.json").unlink()
    windows = make_windows(wordpiece(), ["ada was born in london"], 64)
    states = torch.randn(1, len(windows[0].ids), 8)
    (spans,) = MentionProbe.from_pretrained(tmp_path).propose([], windows, states)
    assert [spans] == probe.propose([], windows, states)
    assert spans and all(span.score > 0.5 for span in spans)


def test_given_spans_are_proposed_in_every_window_they_touch() -> None:
    text = "london " * 30
    document = Document("a", text, mentions=(Span(0, 6), Span(203, 209)))
    windows = make_windows(wordpiece(), [text], 16)
    proposals = GivenSpans().propose([document], windows, torch.zeros(0))
    assert proposals[0] == [Span(0, 6)] and proposals[-1] == [Span(203, 209)]


def test_the_token_classifier_gives_offsets_of_the_whole_text(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from transformers import BertConfig, BertForTokenClassification

    torch.manual_seed(3)
    tokenizer = wordpiece()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
        id2label={0: "O", 1: "B-X", 2: "I-X"},
    )
    BertForTokenClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    text = "the river in london was born in paris " * 3
    windows = make_windows(tokenizer, [text], 16)
    capsys.readouterr()
    detector = TokenClassifier(str(tmp_path))
    assert capsys.readouterr().err == ""  # no bar for weights
    proposals = detector.propose([Document("a", text)], windows, torch.zeros(0))
    assert any(proposals)
    for window, spans in zip(windows, proposals, strict=True):
        for span in spans:
            assert window.span[0] <= span.start < span.end <= window.span[1]
            assert text[span.start : span.end].strip() and 0 <= span.score <= 1
    long = "the river in london was born in paris " * 40  # a window four times as long as the classifier can read
    (window,) = make_windows(tokenizer, [long], 400)
    (spans,) = detector.propose([Document("a", long)], [window], None)
    assert max(span.end for span in spans) > len(long) * 0.9


@pytest.mark.parametrize("name", ["hf:", "bert:x", "Probe", ""])
def test_an_unknown_detector_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"the detector .* is unknown; accepted are probe, given, hf:NAME"):
        load_detector(name)


def test_detectors_without_a_model_load_by_name() -> None:
    assert load_detector("probe") is None
    assert isinstance(load_detector("given"), GivenSpans)
