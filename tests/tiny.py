"""Tiny random models and tokenizers, built in memory."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from modeling_nerret.detection import MentionProbe, ProbeConfig
from modeling_nerret.modeling_nerret import NerretModel

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "river", "city", "born", "in", "was", "ada", "london", "paris", "wrote", "notes"]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {"num_key_value_heads": 2}
# What a family needs beyond the sizes above. Sliding windows are shorter than the texts. A space precedes the name of a
# variant
FAMILY_SIZES: dict[str, dict] = {
    "bert": {},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "conv_kernel_size": 3,
        "conv_act": "gelu",
    },
    "distilbert": {},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 16, "sliding_window": 4},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 16, "sliding_window": 4},
    "gpt2": {},
    "gpt_neox": {},
    "gpt_neox sequential": {"use_parallel_residual": False},
    "llama": GROUPED,
    "mistral": {"num_key_value_heads": 2, "sliding_window": 4},
    "modernbert": {"local_attention": 4, "global_attn_every_n_layers": 2, "cls_token_id": 1, "sep_token_id": 2},
    "mpnet": {},
    "olmo2": GROUPED,
    "opt": {"ffn_dim": 48},
    "opt post-norm": {"ffn_dim": 48, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    "phi3": GROUPED,
    "phi3 sliding": GROUPED | {"sliding_window": 4},
    "qwen2": GROUPED,
    "qwen2 sliding": GROUPED | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 16},
    "roberta": {},
    "xlm-roberta": {},
}


def wordpiece() -> PreTrainedTokenizerFast:
    """A BERT-like tokenizer that knows a few words and all letters."""
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *WORDS,
        *ALPHABET,
        *(f"##{letter}" for letter in ALPHABET),
        *"0123456789.,;'",
    ]
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )


def byte_bpe() -> PreTrainedTokenizerFast:
    """A Llama-3-like tokenizer: bytes, words with their leading space, a token before the text."""
    pieces = ["<pad>", "<s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", model_max_length=64)


def unigram() -> PreTrainedTokenizerFast:
    """A SentencePiece-like tokenizer, a token after the text."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -3.0) for word in WORDS] + [(letter, -5.0) for letter in ALPHABET + "0123456789.,"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def save_backbone(
    folder: Path, family: str = "bert", tokenizer: PreTrainedTokenizerFast | None = None, **fields: int
) -> str:
    """Save a stock model of a family with random weights, which are the same every time."""
    tokenizer = tokenizer or wordpiece()
    torch.manual_seed(0)
    sizes = SIZES | FAMILY_SIZES[family] | fields
    config = AutoConfig.for_model(family.partition(" ")[0], vocab_size=len(tokenizer), **sizes)
    return _save(AutoModel.from_config(config), tokenizer, folder)


def save_gemma3(folder: Path) -> str:
    """Save a Gemma 3 with a vision part, in the form that its repositories have."""
    torch.manual_seed(0)
    text = SIZES | FAMILY_SIZES["gemma3_text"] | {"vocab_size": len(wordpiece())}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision |= {"image_size": 28, "patch_size": 14}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    return _save(Gemma3ForConditionalGeneration(config), wordpiece(), folder)


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> str:
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases of ones and zeros would hide mistakes
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def save_checkpoint(
    folder: Path, family: str = "bert", layer: int = 2, pooling: str = "mean", **fields: int | float
) -> str:
    """Save a self-contained checkpoint, with a tokenizer and a detector that proposes many spans."""
    backbone = save_backbone(folder / "backbone", family, wordpiece() if family == "bert" else byte_bpe())
    torch.manual_seed(1)
    model = NerretModel.from_backbone(backbone, layer=layer, pooling=pooling, head_size=24, hidden_size=16, **fields)
    checkpoint = folder / "checkpoint"
    model.save_pretrained(checkpoint)
    (wordpiece() if family == "bert" else byte_bpe()).save_pretrained(checkpoint)
    MentionProbe(ProbeConfig(32, size=8, max_words=3, threshold=0.45)).save_pretrained(checkpoint)
    return str(checkpoint)
