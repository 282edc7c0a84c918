"""The special tokens around a text, and the one that a causal backbone needs before it.

The first token of a causal backbone sees nothing but itself. Trained models use it as an attention sink: its vector
says hardly anything about the token. If a tokenizer puts nothing before a text, a query of one token is just that, and
all such queries get the same vector. So a token that means nothing goes first, before documents and queries alike.
"""

from __future__ import annotations

import copy
import json
from typing import Any


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids of the tokens that a tokenizer puts before and after a text."""
    ids, bare = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    prefix = next(start for start in range(len(ids)) if ids[start : start + len(bare)] == bare)
    return ids[:prefix], ids[prefix + len(bare) :]


def put_token_first(tokenizer: Any) -> Any:
    """A tokenizer that puts a token before each text: the given one if it does so by itself, else a copy.

    The copy puts its beginning-of-text token there or, if it has none, its end-of-text token.

    Raises:
        ValueError: the tokenizer has neither.
    """
    before, after = special_tokens(tokenizer)
    if before or not tokenizer.is_fast:  # which `make_windows` refuses
        return tokenizer
    token = _mark(tokenizer)
    if token is None:
        raise ValueError(
            "a causal backbone needs a token before the text, or all queries of one token have the same vector; this "
            "tokenizer puts none there and has neither bos_token nor eos_token: name one of them in its "
            "tokenizer_config.json"
        )
    result = copy.deepcopy(tokenizer)
    ids = [tokenizer.convert_tokens_to_ids(token), *after]
    first, *last = zip(map(str, tokenizer.convert_ids_to_tokens(ids)), ids, strict=True)
    _set_template(result.backend_tokenizer, first, last)
    return result


def match_prefix(tokenizer: Any, config: Any) -> Any:
    """The tokenizer as the model of a `NerretConfig` needs it: `put_token_first` if only the model has such a token.

    A tokenizer that has none to put there stays as it is: it is not the model's, see `golden.check_tokens`.
    """
    expected = config.prefix_tokens + config.suffix_tokens
    lacks_prefix = config.prefix_tokens and tokenizer.num_special_tokens_to_add() < expected
    return put_token_first(tokenizer) if lacks_prefix and _mark(tokenizer) else tokenizer


def _mark(tokenizer: Any) -> Any:
    """The token that can stand before a text; `None` if there is none."""
    return tokenizer.bos_token or tokenizer.eos_token


def _set_template(backend: Any, first: tuple[str, int], last: list[tuple[str, int]]) -> None:
    """Put tokens, each with its id, before and after a text, in the form of a tokenizer.json.

    What else the tokenizer does after it has cut a text, such as trimming offsets, stays.
    """
    before, *after = [{"SpecialToken": {"id": token, "type_id": 0}} for token, _ in (first, *last)]
    texts = [{"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB")]
    template = {
        "type": "TemplateProcessing",
        "single": [before, texts[0], *after],
        "pair": [before, texts[0], *after, texts[1], *after],
        "special_tokens": {token: {"id": token, "ids": [id_], "tokens": [token]} for token, id_ in (first, *last)},
    }
    state = json.loads(backend.to_str())
    processor = state["post_processor"] or {"processors": []}
    kept_parts = [part for part in processor.get("processors", [processor]) if part["type"] != "TemplateProcessing"]
    state["post_processor"] = {"type": "Sequence", "processors": [*kept_parts, template]}
    backend.post_processor = type(backend).from_str(json.dumps(state)).post_processor
