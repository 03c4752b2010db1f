"""Reads a GGUF file of architecture llama as what a Hugging Face directory holds: names, rows and config.

Two things differ between the formats. Names: `blk.3.attn_q.weight` there is
`model.layers.3.self_attn.q_proj.weight` here. Rows of q and k: llama.cpp rotates neighbouring pairs (0,1),
(2,3), ..., Hugging Face rotates halves (i, i + d/2); llama.cpp's converter therefore interleaves the two
halves of every head, and hf_rows undoes that.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from cola_jobs.progress import JobError
from cola_jobs.safetensors_file import Bits, round_to_bf16

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def hf_name(name: str) -> str:
    """The Hugging Face name of a GGUF tensor."""
    if name in TOP_NAMES:
        return TOP_NAMES[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in LAYER_NAMES and parts[3] == "weight":
        return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.weight"
    raise JobError(f"GGUF tensor {name}: not a weight of a llama model")


def hf_rows(weight: NDArray[np.float32], n_heads: int) -> NDArray[np.float32]:
    """Rows of q or k from interleaved pairs back to two halves a head: [n_heads * d, in]."""
    n_rows, n_in = weight.shape
    pairs = weight.reshape(n_heads, n_rows // n_heads // 2, 2, n_in)
    return pairs.swapaxes(1, 2).reshape(n_rows, n_in)


class LlamaGguf:
    """An open GGUF file; tensors are dequantised one at a time, when asked for."""

    def __init__(self, path: Path) -> None:
        self._reader = gguf.GGUFReader(path)
        self._tensor = {hf_name(t.name): t for t in self._reader.tensors}
        architecture = self.value("general.architecture")
        if architecture != "llama":
            raise JobError(f"{path}: architecture is {architecture}, expected llama")

    def value(self, key: str, default: Any = None) -> Any:
        """A metadata value, or the default; without one, an error that names the key."""
        field = self._reader.get_field(key)
        if field is not None:
            return field.contents()
        if default is None:
            raise JobError(f"GGUF metadata {key} is missing")
        return default

    def shapes(self) -> dict[str, list[int]]:
        """Shapes as Hugging Face writes them ([out, in]), in order of the names."""
        return {name: [int(n) for n in reversed(t.shape)] for name, t in sorted(self._tensor.items())}

    def bf16(self, name: str) -> Bits:
        """One tensor, dequantised in float32, rows in Hugging Face order, rounded to bf16 bits."""
        tensor = self._tensor[name]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if name.endswith("self_attn.q_proj.weight"):
            values = hf_rows(values, self.value("llama.attention.head_count"))
        elif name.endswith("self_attn.k_proj.weight"):
            values = hf_rows(values, self.value("llama.attention.head_count_kv"))
        return round_to_bf16(values, name)

    def config(self) -> dict[str, object]:
        """config.json in the spelling that transformers 4 and 5 both read."""
        n_hidden, n_heads = self.value("llama.embedding_length"), self.value("llama.attention.head_count")
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": self.value("tokenizer.ggml.bos_token_id"),
            "eos_token_id": self.value("tokenizer.ggml.eos_token_id"),
            "pad_token_id": self.value("tokenizer.ggml.padding_token_id"),
            "head_dim": n_hidden // n_heads,
            "hidden_act": "silu",
            "hidden_size": n_hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.value("llama.feed_forward_length"),
            "max_position_embeddings": self.value("llama.context_length"),
            "mlp_bias": False,
            "num_attention_heads": n_heads,
            "num_hidden_layers": self.value("llama.block_count"),
            "num_key_value_heads": self.value("llama.attention.head_count_kv"),
            # stored as float32: its shortest decimal is the number that was meant (1e-05)
            "rms_norm_eps": float(str(np.float32(self.value("llama.attention.layer_norm_rms_epsilon")))),
            "rope_scaling": None,
            "rope_theta": float(self.value("llama.rope.freq_base")),
            "tie_word_embeddings": "lm_head.weight" not in self._tensor,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": self.value("llama.vocab_size"),
        }
