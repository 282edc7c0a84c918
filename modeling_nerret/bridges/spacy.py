"""A component of spaCy that marks entities of any types (extra `spacy`): `nlp.add_pipe("nerret", config=...)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from ..extras import install_line

try:
    from spacy.language import Language
    from spacy.tokens import Doc, Span
except ImportError as error:
    raise ImportError(f"the bridge to spaCy needs spacy ({error}): {install_line('spacy')}") from error

from ..detection import readable
from ..documents import Document, EncodedDocument
from ..encoding import Encoder
from ..pretrained.built_in import DEFAULT
from ..pretrained.checkpoints import load_checkpoint

GROUP, SCORE = "nerret", "nerret_score"


@Language.factory("nerret", default_config={"types": [], "model": DEFAULT, "threshold": None, "overwrite": False})
def make_component(
    nlp: Language, name: str, types: list[str], model: str, threshold: float | None, overwrite: bool
) -> NerretComponent:
    """The component, for spaCy.

    Args:
        nlp: the pipeline.
        name: the component's.
        types: what to mark, such as `["dinosaur", "river"]`.
        model: built-in name, path or repository id of a checkpoint.
        threshold: least cosine of a mention with its type, in [-1, 1]; `None`: the model's own `match_score`.
        overwrite: whether entities that are there already are dropped; else they stay, and mentions that overlap
            them are left out.
    """
    return NerretComponent(types, model, threshold, overwrite)


class NerretComponent:
    """Sets `doc.ents`, each mention with the type that it is nearest to.

    The scores are `ent._.nerret_score`; `doc.spans["nerret"]` has the same spans, and its `attrs["scores"]` the scores.

    Raises:
        ValueError: there are no types, or one cannot be read, or the model has no detector.
        OSError: there is no such model.
    """

    def __init__(
        self, types: Sequence[str], model: str = DEFAULT, threshold: float | None = None, overwrite: bool = False
    ):
        if isinstance(types, str) or not types:
            raise ValueError(f'types are {types!r:.60}; give a list, such as config={{"types": ["dinosaur", "river"]}}')
        checkpoint = load_checkpoint(model)
        if checkpoint.detector is None:
            raise ValueError(f"the model {model!r} has no detector of its own")
        self.types, self.overwrite = list(types), overwrite
        self.threshold = checkpoint.model.config.match_score if threshold is None else threshold
        self.encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
        self.vectors = self.encoder.embed_queries(self.types)  # (types, hidden_size)
        if not Span.has_extension(SCORE):
            Span.set_extension(SCORE, default=None)

    def __call__(self, doc: Doc) -> Doc:
        """Mark a document."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Mark documents, some at a time."""
        documents = iter(stream)
        while group := list(islice(documents, batch_size)):
            rows = {str(row): doc for row, doc in enumerate(group) if doc.text.strip()}
            for encoding in self.encoder.encode(Document(row, doc.text) for row, doc in rows.items()):
                self._mark(rows[encoding.document.id], encoding)
            yield from group

    def _mark(self, doc: Doc, encoding: EncodedDocument) -> None:
        """Set the entities of a document, the best of those that overlap."""
        places_in_use = set() if self.overwrite else {token.i for ent in doc.ents for token in ent}
        spans = [] if self.overwrite else list(doc.ents)
        marks: list[tuple[Span, float]] = []
        for span, score in sorted(self._spans(doc, encoding), key=lambda pair: -pair[1]):
            places = set(range(span.start, span.end))
            if not places & places_in_use:
                places_in_use |= places
                span._.set(SCORE, score)
                marks.append((span, score))
        marks.sort(key=lambda pair: pair[0].start)
        doc.ents = sorted([*spans, *(span for span, _ in marks)], key=lambda span: span.start)
        doc.spans[GROUP] = [span for span, _ in marks]
        doc.spans[GROUP].attrs["scores"] = np.array([score for _, score in marks], dtype=np.float32)

    def _spans(self, doc: Doc, encoding: EncodedDocument) -> Iterator[tuple[Span, float]]:
        """Sure mentions with their nearest type and its cosine."""
        vectors = dict(zip(encoding.mentions, encoding.vectors, strict=True))
        for mention in readable(encoding.mentions):
            cosines = self.vectors @ vectors[mention]  # (types,)
            best = int(cosines.argmax())
            span = doc.char_span(mention.start, mention.end, self.types[best], alignment_mode="expand")
            if span is not None and cosines[best] >= self.threshold:
                yield span, float(cosines[best])
