"""Writes the tokenizer of a GGUF file as Hugging Face does: tokenizer.json, tokenizer_config.json, ...

Byte-level BPE (GGUF tokenizer model gpt2) with the pre-tokenizer `smollm`: every digit is a word of its own,
then GPT-2's pattern of words. Other pre-tokenizers are refused: a wrong one gives other token ids without any
error.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from cola_jobs.gguf_llama import LlamaGguf
from cola_jobs.progress import JobError

CONTROL = 3  # GGUF token type: a special token, never produced by merges


def build(source: LlamaGguf) -> tuple[Tokenizer, list[str]]:
    """The tokenizer and the texts of its special tokens."""
    kind, words = source.value("tokenizer.ggml.model"), source.value("tokenizer.ggml.pre")
    if (kind, words) != ("gpt2", "smollm"):
        raise JobError(f"GGUF tokenizer is {kind} with pre-tokenizer {words}, only gpt2 with smollm is known")
    tokens: list[str] = source.value("tokenizer.ggml.tokens")
    types: list[int] = source.value("tokenizer.ggml.token_type")
    merges = [tuple(pair.split(" ")) for pair in source.value("tokenizer.ggml.merges")]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind_of in zip(tokens, types, strict=True) if kind_of == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if tokenizer.get_vocab_size() != len(tokens):
        raise JobError(f"the tokenizer has {tokenizer.get_vocab_size()} tokens, the GGUF file {len(tokens)}")
    return tokenizer, special


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write(source: LlamaGguf, directory: Path) -> None:
    """Writes the tokenizer's files and generation_config.json into the directory."""
    tokenizer, special = build(source)
    tokenizer.save(str(directory / "tokenizer.json"))
    ids = {
        "bos": source.value("tokenizer.ggml.bos_token_id"),
        "eos": source.value("tokenizer.ggml.eos_token_id"),
        "unk": source.value("tokenizer.ggml.unknown_token_id"),
        "pad": source.value("tokenizer.ggml.padding_token_id"),
    }
    named = {f"{name}_token": tokenizer.id_to_token(token_id) for name, token_id in ids.items()}
    _write_json(directory / "special_tokens_map.json", {"additional_special_tokens": special[1:3], **named})
    _write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_bos_token": False,
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": source.value("llama.context_length"),
            **named,
            "chat_template": source.value("tokenizer.chat_template"),
        },
    )
    _write_json(
        directory / "generation_config.json",
        {
            "_from_model_config": True,
            "bos_token_id": ids["bos"],
            "eos_token_id": ids["eos"],
            "pad_token_id": ids["pad"],
        },
    )
