#!/usr/bin/env python3
"""Turns the rows of a benchmark into tasks.h5: token ids, candidates and right answers, for one tokenizer.

A task file of jobs/tasks says where a row has its question, choices and answer, and how each score rule asks
(docs/tasks.md). Every row that cannot be used is named with its file and line; then nothing is written,
unless --skip-bad.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cola_jobs.venv import ensure

ensure("numpy", "h5py", "xxhash", "transformers")

from cola_jobs import VERSION, rows, task_file  # noqa: E402  (needs the packages just ensured)
from cola_jobs.progress import JobError, say  # noqa: E402
from cola_jobs.task_file import Task  # noqa: E402

if TYPE_CHECKING:  # slow to import: only once the rows have been read, see prepare()
    from cola_jobs.samples import Encoded
    from cola_jobs.tasks_h5 import Generate
    from cola_jobs.text_encoder import TextEncoder


def fingerprints(
    task: Task,
    template_name: str,
    encoder: "TextEncoder",
    generate: "Generate | None",
    encoded: "Encoded",
    n_reorder: int,
) -> dict[str, str]:
    """What the samples were made from: tokenizer.json, the templates and settings, the rows' content."""
    from cola_jobs.tasks_h5 import fingerprint

    template = task.templates[template_name]
    parts = [task.score, template.prompt, template.continuation, template.choice_line]
    parts.append(encoder.chat_template() if template.chat else "")
    if generate:
        stop = ",".join(str(token) for token in generate.stop_tokens)
        parts += ["generate", generate.grader, str(generate.max_new_tokens), stop]
    if n_reorder:
        parts += ["reorder", str(n_reorder)]
    lines = [json.dumps(q.row, sort_keys=True, ensure_ascii=False, default=str) for q in encoded.used]
    return {
        "tokenizer": fingerprint(encoder.tokenizer_json()),
        "template": fingerprint(*(part.encode() for part in parts)),
        "data": fingerprint("".join(f"{line}\n" for line in lines).encode()),
    }


def refuse(bad: list[str], skip_bad: bool) -> None:
    """Names every bad row; ends the job unless they may be left out."""
    for line in bad:
        print(f"prepare.py: {line}", file=sys.stderr)
    if bad and not skip_bad:
        raise JobError(f"{len(bad)} bad rows, nothing written; --skip-bad leaves them out")
    if bad:
        say(f"left out {len(bad)} bad rows")


def check_options(options: argparse.Namespace, task: Task) -> None:
    """What the options and the task's rule must have in common."""
    if options.max_new_tokens is not None and task.score != "generate":
        raise JobError(f"--max-new-tokens goes only with --score generate, not with {task.score}")
    if options.reorder and task.fields.answer_is == "text":
        raise JobError(f"--reorder: the questions of {task.name} have no choices")


def read_rows(options: argparse.Namespace, task: Task) -> rows.Rows:
    """The rows that the options choose; says how many were left out, and why."""
    found = rows.read(options.rows, task.fields, task.name, task.level, options.skip, options.limit)
    if found.n_repeated:
        say(f"left out {found.n_repeated} rows that repeat an earlier {task.fields.id}")
    if found.n_other_level:
        say(f"left out {found.n_other_level} rows of other levels than {task.level}")
    return found


def settings_of_generate(
    options: argparse.Namespace, task: Task, default: int, encoder: "TextEncoder"
) -> "Generate | None":
    """None but for the score rule generate."""
    if task.score != "generate":
        return None
    from cola_jobs.tasks_h5 import Generate

    stop = encoder.stop_tokens()
    if not stop:
        say("the model names no token that ends an answer: every answer has max_new_tokens tokens")
    return Generate(task.grader, options.max_new_tokens or default, stop)


def vocabulary(task: Task, encoder: "TextEncoder") -> list[bytes] | None:
    """Bytes of every token. Special tokens are no part of an answer: graders of generate see none of them."""
    generate = task.score == "generate"
    found = encoder.vocabulary(with_special=not generate)
    if found is None and generate:
        raise JobError("the tokenizer's kind is unknown, so generated tokens cannot be decoded and graded")
    if found is None:
        say("the tokenizer's kind is unknown: tasks.h5 gets no vocabulary/")
    return found


def prepare(options: argparse.Namespace) -> None:
    """The whole job."""
    task = task_file.load(options.task, options.score, options.level)
    check_options(options, task)
    found = read_rows(options, task)  # before transformers, which keeps this process off the network
    from cola_jobs import samples, tasks_h5
    from cola_jobs.text_encoder import TEMPLATE_DATE, TextEncoder

    encoder = TextEncoder(options.model)
    template_name = task.choose(options.template, encoder.has_chat_template())
    template = task.templates[template_name]
    if options.reorder and "{choices}" not in template.prompt:
        raise JobError(
            f"--reorder: the prompt of {task.score} ({template_name}) does not show the choices, so their "
            "order changes nothing; ask another way instead: --template second"
        )
    encoded = samples.encode_all(found.questions, task, template, encoder)
    refuse(found.bad + encoded.bad, options.skip_bad)
    if not encoded.samples:
        raise JobError(f"{' '.join(options.rows)}: no row is left to write")
    samples.add_reorderings(encoded, options.reorder, task, template, encoder)
    generate = settings_of_generate(options, task, template.max_new_tokens, encoder)
    extra = {"x_template": template_name}
    if template.chat:
        extra["x_template_date"] = TEMPLATE_DATE
    tasks = tasks_h5.Tasks(
        task=task.name,
        model_name=options.model.resolve().name,
        score=task.score,
        program=f"prepare.py {VERSION}",
        samples=encoded.samples,
        fingerprints=fingerprints(task, template_name, encoder, generate, encoded, options.reorder),
        vocabulary=vocabulary(task, encoder),
        generate=generate,
        extra=extra,
    )
    tasks_h5.write(options.out, tasks)
    report(options, task, template_name, encoded)


def report(options: argparse.Namespace, task: Task, template_name: str, encoded: "Encoded") -> None:
    """One or two lines about the file."""
    n, n_questions = len(encoded.samples), len(encoded.used)
    n_prompt = sum(len(sample.prompt) for sample in encoded.samples)
    n_candidates = sum(len(sample.candidates) for sample in encoded.samples)
    say(
        f"{options.out}: {n} samples of {task.name} by {task.score} ({template_name}), {n_candidates} "
        f"candidates, {n_prompt / n:.1f} prompt tokens on average"
    )
    if n > n_questions:
        say(f"the first {n_questions} are the questions (--samples 0:{n_questions}), the others re-orderings")


def count(text: str) -> int:
    """A whole number from 0, for argparse."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def from_one(text: str) -> int:
    """A whole number from 1 that fits 32 bits, for argparse."""
    value = int(text)
    if not 1 <= value < 1 << 31:
        raise ValueError(text)
    return value


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", 1)[0], epilog="How to add a benchmark: docs/tasks.md."
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="DIR", help="Hugging Face directory")
    tasks = " | ".join(task_file.names())
    add("--task", required=True, metavar="NAME", help=f"{tasks}, one of these with _LEVEL, or a .toml file")
    add(
        "--rows",
        nargs="+",
        required=True,
        metavar="FILE",
        help="JSON lines, or Parquet (*.parquet), or hf:REPOSITORY[:CONFIGURATION]:SPLIT",
    )
    add("--out", type=Path, required=True, metavar="TASKS.h5", help="file to write")
    add("--score", metavar="RULE", help="loglik | letter | generate [the first in the task file]")
    add(
        "--template",
        default="auto",
        metavar="NAME",
        help="how to ask: plain | chat | another of the task file; auto: chat if the model can chat [auto]",
    )
    add("--level", type=count, metavar="N", help="only rows of this level [all]")
    add("--skip", type=count, default=0, metavar="N", help="leave out the first N good rows [0]")
    add("--limit", type=count, metavar="N", help="at most N rows [all]")
    add(
        "--max-new-tokens",
        type=from_one,
        metavar="N",
        help="generate: most tokens of an answer [as the task file says]",
    )
    add(
        "--reorder",
        type=count,
        default=0,
        metavar="N",
        help="also N re-orderings of each question's choices, at most one less than it has choices [0]",
    )
    add("--skip-bad", action="store_true", help="leave out bad rows instead of refusing the file")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    try:
        prepare(parse_arguments(arguments))
    except (JobError, OSError) as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
