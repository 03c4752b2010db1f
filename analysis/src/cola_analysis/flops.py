"""Floating-point operations of one token through a layer and through the head, from a model's config.json.

    Flops.of(json.load(open("config.json")))

Twice the weights that a token meets: attention's four products, the feed-forward network's three (of a
mixture of experts: those of the experts chosen, the shared one and the router). Left out: the scores of
attention, which grow with the prompt and are the same share of every layer, norms and activations. Knows
nothing of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Flops:
    """Operations of one token."""

    per_layer: float
    head: float

    @classmethod
    def of(cls, config: dict[str, Any]) -> Flops:
        """From a parsed config.json; KeyError names what is missing."""
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        groups = int(config.get("num_key_value_heads") or heads)
        head_size = int(config.get("head_dim") or width // heads)
        attention = width * head_size * (2 * heads + 2 * groups)
        return cls(2.0 * (attention + _feed_forward(config, width)), 2.0 * width * int(config["vocab_size"]))


def _feed_forward(config: dict[str, Any], width: int) -> int:
    experts = int(config.get("num_experts") or 0)
    if not experts:
        return 3 * width * int(config["intermediate_size"])
    inner = int(config.get("moe_intermediate_size") or config["intermediate_size"])
    shared = int(config.get("shared_expert_intermediate_size") or 0)
    chosen = int(config["num_experts_per_tok"])
    return width * experts + 3 * width * (chosen * inner + shared) + (width if shared else 0)
