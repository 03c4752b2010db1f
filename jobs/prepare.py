#!/usr/bin/env python3
"""Turns the rows of a benchmark into tasks.h5: token ids, candidates and right answers, for one tokenizer.

A task file of jobs/tasks says where a row has its question, choices and answer, and how each score rule asks.
Every row that cannot be used is named with its file and line; then nothing is written, unless --skip-bad.
"""

import argparse
import json
import sys
from pathlib import Path

from cola_jobs.venv import ensure

ensure("numpy", "h5py", "xxhash", "transformers")

from cola_jobs import VERSION, rows, task_file, tasks_h5  # noqa: E402  (needs the packages just ensured)
from cola_jobs.progress import JobError, say  # noqa: E402
from cola_jobs.rows import LETTERS, Question  # noqa: E402
from cola_jobs.task_file import Task, fill  # noqa: E402
from cola_jobs.text_encoder import TEMPLATE_DATE, TextEncoder  # noqa: E402


def prompt_text(question: Question, task: Task, encoder: TextEncoder) -> str:
    """The text before the answer."""
    template = task.template
    lines = [
        fill(template.choice_line, {"letter": LETTERS[index], "choice": choice})
        for index, choice in enumerate(question.choices)
    ]
    text = fill(template.prompt, {"question": question.question, "choices": "".join(lines)})
    return encoder.chat(text) if template.chat else text


def encode(question: Question, task: Task, encoder: TextEncoder) -> tasks_h5.Sample:
    """One sample; rows.BadRow if a choice gives no token, or a letter more than one."""
    text = prompt_text(question, task, encoder)
    candidates: list[tasks_h5.Candidate] = []
    prompt: list[int] = []
    for index, (label, choice) in enumerate(zip(question.labels, question.choices, strict=True)):
        continuation = fill(task.template.continuation, {"letter": LETTERS[index], "choice": choice})
        prompt, tokens = encoder.encode_pair(text, continuation, task.template.chat)
        if not tokens or not prompt:
            raise rows.BadRow(f"choice {label}: gives no token after {len(prompt)} tokens of prompt")
        if task.score == "letter" and len(tokens) != 1:
            raise rows.BadRow(f"choice {label}: its letter is {len(tokens)} tokens, expected one")
        candidates.append(tasks_h5.Candidate(tokens, label, choice))
    return tasks_h5.Sample(question.id, prompt, candidates, question.gold, question.question)


def encode_all(
    questions: list[Question], task: Task, encoder: TextEncoder
) -> tuple[list[tasks_h5.Sample], list[Question], list[str]]:
    """Samples, the questions they come from, and a line about each question that cannot be encoded."""
    samples: list[tasks_h5.Sample] = []
    used: list[Question] = []
    bad: list[str] = []
    for question in questions:
        try:
            samples.append(encode(question, task, encoder))
            used.append(question)
        except rows.BadRow as error:
            bad.append(f"{question.where}: {error}")
    return samples, used, bad


def fingerprints(task: Task, encoder: TextEncoder, used: list[Question]) -> dict[str, str]:
    """What the samples were made from: tokenizer.json, the templates, the rows' content."""
    template = task.template
    templates = [task.score, template.prompt, template.continuation, template.choice_line]
    templates.append(encoder.chat_template() if template.chat else "")
    lines = [json.dumps(question.row, sort_keys=True, ensure_ascii=False) for question in used]
    return {
        "tokenizer": tasks_h5.fingerprint(encoder.tokenizer_json()),
        "template": tasks_h5.fingerprint(*(text.encode() for text in templates)),
        "data": tasks_h5.fingerprint("".join(f"{line}\n" for line in lines).encode()),
    }


def refuse(bad: list[str], skip_bad: bool) -> None:
    """Names every bad row; ends the job unless they may be left out."""
    for line in bad:
        print(f"prepare.py: {line}", file=sys.stderr)
    if bad and not skip_bad:
        raise JobError(f"{len(bad)} bad rows, nothing written; --skip-bad leaves them out")
    if bad:
        say(f"left out {len(bad)} bad rows")


def prepare(options: argparse.Namespace) -> None:
    """The whole job."""
    task = task_file.load(options.task, options.score)
    questions, bad = rows.read(options.rows, task.fields, options.skip, options.limit)
    encoder = TextEncoder(options.model)
    samples, used, bad_tokens = encode_all(questions, task, encoder)
    refuse(bad + bad_tokens, options.skip_bad)
    if not samples:
        raise JobError(f"{options.rows}: no row is left to write")
    vocabulary = encoder.vocabulary()
    if vocabulary is None:
        say("the tokenizer's kind is unknown: tasks.h5 gets no vocabulary/")
    tasks = tasks_h5.Tasks(
        task=task.name,
        model_name=options.model.resolve().name,
        score=task.score,
        program=f"prepare.py {VERSION}",
        samples=samples,
        fingerprints=fingerprints(task, encoder, used),
        vocabulary=vocabulary,
        extra={"x_template_date": TEMPLATE_DATE} if task.template.chat else {},
    )
    tasks_h5.write(options.out, tasks)
    n_prompt = sum(len(sample.prompt) for sample in samples)
    n_candidates = sum(len(sample.candidates) for sample in samples)
    say(
        f"{options.out}: {len(samples)} samples of {task.name} by {task.score}, {n_candidates} candidates, "
        f"{n_prompt / len(samples):.1f} prompt tokens on average"
    )


def count(text: str) -> int:
    """A whole number from 0, for argparse."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="Hugging Face directory")
    parser.add_argument("--task", required=True, metavar="NAME", help=" | ".join(task_file.names()))
    parser.add_argument(
        "--rows", type=Path, required=True, metavar="FILE", help="rows, one JSON object a line"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="TASKS.h5", help="file to write")
    parser.add_argument("--score", default="loglik", metavar="RULE", help="letter | loglik [loglik]")
    parser.add_argument(
        "--skip", type=count, default=0, metavar="N", help="leave out the first N good rows [0]"
    )
    parser.add_argument("--limit", type=count, metavar="N", help="at most N rows [all]")
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out bad rows instead of refusing the file"
    )
    try:
        prepare(parser.parse_args(arguments))
    except (JobError, OSError) as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
