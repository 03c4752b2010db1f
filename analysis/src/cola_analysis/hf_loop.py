"""The command `cola-hf-loop`: chains through Hugging Face transformers, one at a time.

It is what `cola` is compared with: requests of `cola eval` on stdin, its answers on stdout, with the seconds
each took. The model is loaded once. Lines are answered as they come, so a program can ask, wait, ask again.

Exit status: 0 done, 1 a line was refused, the model cannot be used or torch is missing, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cola_analysis import __version__
from cola_analysis.hf_requests import RequestError, decode_line, parse_request

if TYPE_CHECKING:
    from cola_analysis.hf_model import ChainModel

ABOUT = """\
Evaluates chains of layers with Hugging Face transformers on the CPU, one chain at a time, as published code
does. Reads the requests of `cola eval` as JSON lines on stdin and answers each on stdout as `cola eval` does,
with "seconds": the time from token ids to the result of that request alone, JSON excluded."""

EPILOG = """\
Two more lines are understood:
  {"command": "info"}               versions, threads, attention and what both kinds took
  {"command": "peak", "rows": 128}  GFLOP/s of torch's products in this dtype: with one layer's matrices
                                    ("gflops") and of a large square ("gflops_square")

torch is not installed with this program: jobs/setup.sh compare does that.

exit status: 0 done; 1 a line was refused, the model cannot be used, or torch is missing; 2 wrong usage"""

ROWS_MAX = 1 << 16


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-hf-loop",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--model", metavar="DIR", required=True, help="Hugging Face model directory")
    p.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="weights and arithmetic [f32]")
    p.add_argument(
        "--threads", metavar="N", type=int, default=0, help="threads; 0: one a core it may use [0]"
    )
    p.add_argument(
        "--attention",
        choices=("auto", "sdpa", "eager"),
        default="auto",
        help="auto times both on a request of 128 tokens and takes the faster one [auto]",
    )
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    if options.threads < 0:
        parser().error(f"--threads {options.threads}: at least 0")
    # a GPU would be another comparison, and nothing may be fetched while time is measured
    os.environ.update(CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    try:
        import torch

        from cola_analysis.hf_model import ChainModel, ModelError
    except ImportError as error:
        print(f"cola-hf-loop: {error}; jobs/setup.sh compare installs torch", file=sys.stderr)
        return 1
    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    try:
        model = ChainModel(options.model, options.dtype, options.attention)
    except (ModelError, OSError, ValueError) as error:
        print(f"cola-hf-loop: {error}", file=sys.stderr)
        return 1
    return _serve(model, options)


def _serve(model: ChainModel, options: argparse.Namespace) -> int:
    """Answers stdin's lines until it ends."""
    status = 0
    for text in sys.stdin.buffer:
        if not text.strip():
            continue
        answer = _answer(model, options, text)
        status = 1 if "error" in answer else status
        try:
            print(json.dumps(answer), flush=True)
        except BrokenPipeError:  # nobody listens any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return status


def _answer(model: ChainModel, options: argparse.Namespace, text: bytes) -> dict[str, Any]:
    """A line's answer; what is wrong with the line becomes the answer, and the others go on."""
    line: dict[str, Any] = {}
    try:
        line = decode_line(text)
        if "command" in line:
            return {**_identity(line), **_command(model, options, line)}
        answer, seconds = model.evaluate(parse_request(line, model.n_layers))
    except RequestError as error:
        return {"id": line.get("id"), "error": str(error)}
    return {"id": line.get("id"), **answer.members(), "seconds": seconds}


def _identity(line: dict[str, Any]) -> dict[str, Any]:
    return {"id": line["id"]} if "id" in line else {}


def _command(model: ChainModel, options: argparse.Namespace, line: dict[str, Any]) -> dict[str, Any]:
    command = line["command"]
    known = {"info": {"id", "command"}, "peak": {"id", "command", "rows"}}
    if not isinstance(command, str) or command not in known:
        raise RequestError('"command" must be "info" or "peak"')
    for name in line.keys() - known[command]:
        raise RequestError(f'unknown member "{name:.60}"')
    if command == "info":
        return _info(model, options)
    rows = line.get("rows", 128)
    if type(rows) is not int or not 1 <= rows <= ROWS_MAX:
        raise RequestError(f'"rows" must be a whole number 1 .. {ROWS_MAX}')
    from cola_analysis.hf_peak import peak

    return {"command": "peak", "dtype": options.dtype, **peak(model.layers[0], rows)}


def _info(model: ChainModel, options: argparse.Namespace) -> dict[str, Any]:
    import torch
    import transformers

    return {
        "command": "info",
        "program": f"cola-analysis {__version__}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "model": str(options.model),
        "model_type": model.config.model_type,
        "n_layers": model.n_layers,
        "dtype": options.dtype,
        "attention": model.attention,
        "attention_seconds": model.attention_seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
