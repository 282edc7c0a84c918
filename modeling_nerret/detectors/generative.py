"""A detector that asks a language model to copy the text with `##marks##` around the entities.

The paper's own detector, CascadeNER, works this way (arXiv 2509.04011, section 4). Any causal language model of
transformers will do. It is slow: the model generates a copy of every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from ..documents import Document
from ..files import one_line
from ..spans import Span
from ..windows import Window
from .marks import align_marks
from .model_files import load_model
from .pieces import pieces_of, spans_by_window

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
    """Use any causal or chat language model as a detector.

    Args:
        name_or_path: repository id or folder of the model.
        device: where the model runs.
        prompt: the prompt, with `{text}` where the text goes. A chat model gets it as the user's message.
        batch_size: number of texts in a batch.
        dtype: data type of the weights, as in transformers.

    Raises:
        ValueError: the prompt does not contain `{text}`, the model is no causal language model, or its chat template
            fails.
        OSError: there is no such model, or its weights are no safetensors.
    """

    reads_states = False

    def __init__(
        self, name_or_path: str, device: str = "cpu", prompt: str = PROMPT, batch_size: int = 8, dtype: Any = "auto"
    ):
        if "{text}" not in prompt:
            raise ValueError(f"the prompt {prompt!r:.80} must contain {{text}} where the text goes")
        self.prompt, self.batch_size = prompt, batch_size
        self.model, self.tokenizer = load_model(AutoModelForCausalLM, name_or_path, "causal language model", dtype)
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        # A copy is greedy: of a checkpoint's settings for generation only those count that say where a text ends
        ends = self.model.generation_config.eos_token_id
        self.model.generation_config = GenerationConfig(eos_token_id=ends)
        self.model.to(device)
        if self.tokenizer.chat_template:
            self._check_template(name_or_path)

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The entities that the model marks in its copy of each window's text, at their places in the text."""
        pieces = pieces_of(windows)
        copies: list[str] = []
        for start in range(0, len(pieces), self.batch_size):
            copies += self.write([piece.form.text for piece in pieces[start : start + self.batch_size]])
        proposals = ((piece, align_marks(piece.form.text, copy)) for piece, copy in zip(pieces, copies, strict=True))
        return spans_by_window(windows, proposals)

    @torch.inference_mode()
    def write(self, texts: Sequence[str]) -> list[str]:
        """The model's answer to the prompt for each text, by greedy decoding."""
        prompts = [self.prompt.replace("{text}", text) for text in texts]
        chat = bool(self.tokenizer.chat_template)
        if chat:
            prompts = [self._as_chat(prompt) for prompt in prompts]
        batch = self.tokenizer(prompts, padding=True, add_special_tokens=not chat, return_tensors="pt")
        longest = max(len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"])
        sequences = self.model.generate(
            input_ids=batch["input_ids"].to(self.model.device),
            attention_mask=batch["attention_mask"].to(self.model.device),
            max_new_tokens=32 + longest * 3 // 2,  # room for a copy and its marks
            do_sample=False,
            num_beams=1,
            pad_token_id=self.tokenizer.pad_token_id,
        )  # (texts, prompt tokens + new tokens)
        # padding is on the left, so every answer begins after the *padded* prompt, which the published code overlooks
        tokens = sequences[:, batch["input_ids"].shape[1] :]  # (texts, new tokens)
        answers: list[str] = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return answers

    def _check_template(self, name: str) -> None:
        try:
            self._as_chat(self.prompt)
        except Exception as error:  # of the template, whatever it does
            raise ValueError(
                f"the chat template of {name!r:.80} (in chat_template.jinja or tokenizer_config.json) fails: "
                f"{one_line(error)}"
            ) from error

    def _as_chat(self, message: str) -> str:
        prompt: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], add_generation_prompt=True, tokenize=False
        )
        return prompt
