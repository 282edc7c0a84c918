"""A detector that asks a language model to write the text again with `##marks##` around the entities.

It is the form of the paper's own detector, CascadeNER (PAPER section 4). Any causal language model of transformers can
be asked; it costs a generated copy of every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..documents import Document
from .marks import align_marks
from ..spans import Span
from ..windows import Window

PROMPT = (
    "Copy the text word for word and put ## before and after every entity: every person, group, organisation, place, "
    "event, work, product, substance, living thing or other thing that has a name or is of a definite kind. "
    "Write nothing else.\n"
    "Text: Marie Curie studied radium in Paris.\n"
    "Copy: ##Marie Curie## studied ##radium## in ##Paris##.\n"
    "Text: {text}\n"
    "Copy:"
)


class GenerativeExtractor:
    """Any causal or chat language model as a detector.

    Args:
        name_or_path: repository id or folder of the model.
        device: where it runs.
        prompt: what it is told, with `{text}` in the place of the text; a chat model gets it as the user's message.
        batch_size: texts that are written at once.
        dtype: as in transformers.
    """

    reads_states = False

    def __init__(
        self, name_or_path: str, device: str = "cpu", prompt: str = PROMPT, batch_size: int = 8, dtype: Any = "auto"
    ):
        if "{text}" not in prompt:
            raise ValueError("the prompt must hold {text}, where the text is put")
        self.prompt, self.batch_size = prompt, batch_size
        self.tokenizer: Any = AutoTokenizer.from_pretrained(name_or_path, padding_side="left", trust_remote_code=False)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            name_or_path, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
        self.model: Any = loaded.to(device).eval()

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The entities that the model marks in its copy of each window's text, where they stand in the text."""
        pieces = [window.text[slice(*window.span)] for window in windows]
        copies: list[str] = []
        for at in range(0, len(pieces), self.batch_size):
            copies += self.write(pieces[at : at + self.batch_size])
        found = []
        for window, piece, copy in zip(windows, pieces, copies, strict=True):
            shift = window.span[0]
            spans = (Span(start + shift, end + shift, score) for start, end, score in align_marks(piece, copy))
            found.append([span for span in spans if window.text[span.start : span.end].strip()])
        return found

    @torch.inference_mode()
    def write(self, texts: Sequence[str]) -> list[str]:
        """The model's answers, its likeliest words each time (greedy decoding)."""
        asked = [self.prompt.replace("{text}", text) for text in texts]
        chat = bool(self.tokenizer.chat_template)
        if chat:
            asked = [self._as_chat(message) for message in asked]
        batch = self.tokenizer(asked, padding=True, add_special_tokens=not chat, return_tensors="pt")
        longest = max(len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"])
        written = self.model.generate(
            input_ids=batch["input_ids"].to(self.model.device),
            attention_mask=batch["attention_mask"].to(self.model.device),
            max_new_tokens=32 + longest * 3 // 2,  # a copy and its marks
            do_sample=False,
            num_beams=1,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        # with padding on the left every answer begins after the *padded* prompt (PAPER section 4: a published bug)
        answers = written[:, batch["input_ids"].shape[1] :]
        decoded: list[str] = self.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return decoded

    def _as_chat(self, message: str) -> str:
        rendered: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], add_generation_prompt=True, tokenize=False
        )
        return rendered
