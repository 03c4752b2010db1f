"""A model directory with random bf16 weights in the sizes of a known model, and requests for it.

usage: make_inputs.py SHAPE DIRECTORY      SHAPE: one of smollm2-135m, llama-3.2-3b, llama-3-8b, tiny

Writes DIRECTORY/config.json, model.safetensors and requests.jsonl (scores of both rules and answers, chains
with skips and loops). A block of normal numbers is repeated from another place for each tensor: timing and
bytes do not ask for more, and 16 GB of them would take minutes. NumPy only.
"""

import json
import sys
from pathlib import Path

import numpy as np

SHAPES = {  # layers, hidden, heads, key/value heads, head size, feed-forward, vocabulary, tied head
    "tiny": (4, 64, 4, 2, 16, 160, 320, True),
    "smollm2-135m": (30, 576, 9, 3, 64, 1536, 49152, True),
    "llama-3.2-3b": (28, 3072, 24, 8, 128, 8192, 128256, True),
    "llama-3-8b": (32, 4096, 32, 8, 128, 14336, 128256, False),
}


def tensors(shape: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the order of the file."""
    layers, d, h, g, size, f, v, tied = SHAPES[shape]
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (v, d)}
    for i in range(layers):
        layer = f"model.layers.{i}."
        found |= {
            f"{layer}input_layernorm.weight": (d,),
            f"{layer}self_attn.q_proj.weight": (h * size, d),
            f"{layer}self_attn.k_proj.weight": (g * size, d),
            f"{layer}self_attn.v_proj.weight": (g * size, d),
            f"{layer}self_attn.o_proj.weight": (d, h * size),
            f"{layer}post_attention_layernorm.weight": (d,),
            f"{layer}mlp.gate_proj.weight": (f, d),
            f"{layer}mlp.up_proj.weight": (f, d),
            f"{layer}mlp.down_proj.weight": (d, f),
        }
    found["model.norm.weight"] = (d,)
    return found if tied else found | {"lm_head.weight": (v, d)}


def config(shape: str) -> dict[str, object]:
    """What config.json says."""
    layers, d, h, g, size, f, v, tied = SHAPES[shape]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": d, "intermediate_size": f, "num_hidden_layers": layers, "num_attention_heads": h,
        "num_key_value_heads": g,
        "head_dim": size, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": tied, "torch_dtype": "bfloat16",
        "vocab_size": v,
    }  # fmt: skip


def write_weights(shape: str, path: Path) -> None:
    """model.safetensors: its header, then the tensors, each from another place of one block."""
    random = np.random.default_rng(1)
    block = (random.standard_normal(1 << 24, dtype=np.float32) * 0.02).view(np.uint32) >> 16
    numbers = block.astype("<u2")
    one = np.full(1 << 15, 0x3F80, dtype="<u2")  # 1.0: the norms' weights
    header, at = {}, 0
    for name, size in tensors(shape).items():
        n_bytes = 2 * int(np.prod(size))
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [at, at + n_bytes]}
        at += n_bytes
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for i, size in enumerate(tensors(shape).values()):
            source, left = (one if len(size) == 1 else numbers), int(np.prod(size))
            start = i * 7919 % (len(source) // 2) if len(size) > 1 else 0
            while left:
                piece = source[start : start + left]
                file.write(piece.tobytes())
                left, start = left - len(piece), 0


def requests(shape: str) -> list[dict[str, object]]:
    """Some of each rule, over prompts of several lengths."""
    layers, vocabulary = SHAPES[shape][0], SHAPES[shape][6]
    random = np.random.default_rng(2)

    def tokens(n: int) -> list[int]:
        return [int(t) for t in random.integers(0, vocabulary, n)]

    chains = [
        list(range(layers)),
        list(range(0, layers, 2)),
        [*range(layers // 2), *range(layers // 4, layers)],
    ]
    found: list[dict[str, object]] = []
    for i in range(24):
        request: dict[str, object] = {
            "id": i,
            "chain": chains[i % 3],
            "prompt": tokens((1, 20, 90, 150)[i % 4]),
        }
        if i % 2 == 0:
            request |= {"score": "next", "tokens": tokens(4)}
        elif i % 4 == 1:
            request |= {"score": "loglik", "continuations": [tokens(n) for n in (1, 7, 12)]}
        else:
            request |= {"score": "generate", "max_new_tokens": 6, "stop": [2]}
        found.append(request)
    return found


def main() -> int:
    """Writes the directory."""
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        print(__doc__, file=sys.stderr)
        return 2
    shape, directory = sys.argv[1], Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config(shape)))
    write_weights(shape, directory / "model.safetensors")
    lines = (json.dumps(request) for request in requests(shape))
    (directory / "requests.jsonl").write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
