"""`cola eval --memory`: a request that does not fit is told on its own line, and the others are answered."""

import json
import subprocess
from pathlib import Path

from conftest import ROOT


def test_a_request_that_does_not_fit_is_one_line_the_others_go_on(program: Path) -> None:
    small = {"chain": "0-5", "prompt": [5, 6, 7], "score": "next", "tokens": [3]}
    large = {"chain": "0-5", "prompt": [5] * 400, "score": "generate", "max_new_tokens": 40, "stop": []}
    requests = [{"id": i, **(large if i == 20 else small)} for i in range(41)]
    model = ROOT / "tests" / "data" / "models" / "llama_gqa_tied"
    command = [program, "eval", "--model", model, "--threads", "1", "--memory", "67", "-"]
    lines = "\n".join(json.dumps(request) for request in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [answer["id"] for answer in answers] == list(range(41))
    assert [answer["id"] for answer in answers if "error" in answer] == [20]
    assert "--memory must be" in answers[20]["error"]
