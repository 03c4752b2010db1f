"""Stands in for cola-hf-loop where torch is not installed: `cola eval` answers, a mode plants what is wrong.

    fake_hf_loop.py COLA MODE --model DIR --dtype f32 --threads N

Modes: good; wrong (other answers); crash (after three answers); refuse (the fourth request); words (no JSON);
untimed (no seconds). A layer takes it SECONDS_A_LAYER, by its own word.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

SECONDS_A_LAYER = 0.5
PEAK_GFLOPS = 2.0


def spoil(answer: dict[str, Any]) -> None:
    """Another best candidate, or other tokens."""
    for name in ("logits", "logprob"):
        if name in answer:
            answer[name] = [-score for score in answer[name]]
    if "tokens" in answer:
        answer["tokens"][0] += 1


def answer_to(request: dict[str, Any], n_answered: int, mode: str, engine: subprocess.Popen[str]) -> Any:
    """What the loop says to one line."""
    if request.get("command") == "info":
        return {"torch": "none", "transformers": "none", "threads": 1, "dtype": "f32", "attention": "fake"}
    if request.get("command") == "peak":
        return {"gflops": PEAK_GFLOPS, "gflops_square": PEAK_GFLOPS / 2}
    if mode == "crash" and n_answered == 3:
        os.abort()
    if mode == "refuse" and n_answered == 3:
        return {"error": "this chain is not to my taste"}
    assert engine.stdin is not None and engine.stdout is not None
    engine.stdin.write(json.dumps(request) + "\n")
    engine.stdin.flush()
    answer = json.loads(engine.stdout.readline())
    if mode == "wrong":
        spoil(answer)
    if mode != "untimed":
        answer["seconds"] = SECONDS_A_LAYER * len(request["chain"])
    return answer


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("cola")
    p.add_argument("mode")
    p.add_argument("--model", required=True)
    p.add_argument("--dtype", required=True)
    p.add_argument("--threads", required=True)
    o = p.parse_args()
    command = [o.cola, "eval", "--model", o.model, "--dtype", o.dtype, "--threads", "1", "-"]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    n_answered = 0
    for line in sys.stdin:
        if o.mode == "words":
            print("once upon a time", flush=True)
            continue
        request = json.loads(line)
        print(json.dumps(answer_to(request, n_answered, o.mode, engine)), flush=True)
        n_answered += "command" not in request
    engine.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
