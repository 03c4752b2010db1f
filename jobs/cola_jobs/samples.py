"""Makes questions samples: the prompt's text by the task's template, then token ids and candidates."""

import re
from dataclasses import dataclass, field

from cola_jobs import reorder, tasks_h5
from cola_jobs.rows import LETTERS, BadRow, Question
from cola_jobs.task_file import Task, Template, fill
from cola_jobs.text_encoder import TextEncoder

# what the C grader reads as a number, without words around it; at most 38 digits
NUMBER = re.compile(r"-?\$? ?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(/\d+)?%?")


@dataclass
class Encoded:
    """Samples, the questions they come from, and a line about each question that cannot be encoded."""

    samples: list[tasks_h5.Sample] = field(default_factory=list)
    used: list[Question] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def message(question: Question, template: Template) -> str:
    """The template filled in: the text before the answer, or the user's message of a chat."""
    lines = [
        fill(template.choice_line, {"letter": LETTERS[index], "choice": choice})
        for index, choice in enumerate(question.choices)
    ]
    values = {"question": question.question, "choices": "".join(lines), "subject": question.subject}
    return fill(template.prompt, values)


def _check_number(text: str) -> None:
    match = NUMBER.fullmatch(text)
    n_digits = sum(character.isdigit() for character in text)
    if not match or not 1 <= n_digits <= 38:
        raise BadRow(f"the answer is {text[:60]!r}, expected a number")


def _generate(question: Question, task: Task, prompt: list[int]) -> tasks_h5.Sample:
    """Answers are read from generated text: candidates have no tokens, only their texts."""
    if task.grader == "number":
        _check_number(question.choices[question.gold])
    if not prompt:
        raise BadRow("its prompt gives no token")
    candidates = [
        tasks_h5.Candidate([], label, choice)
        for label, choice in zip(question.labels, question.choices, strict=True)
    ]
    return tasks_h5.Sample(question.id, prompt, candidates, question.gold, question.question)


def encode(question: Question, task: Task, template: Template, encoder: TextEncoder) -> tasks_h5.Sample:
    """One sample; BadRow if a choice gives no token, a letter more than one, or a number is none."""
    text = message(question, template)
    if template.chat:
        text = encoder.chat(text)
    if task.score == "generate":
        return _generate(question, task, encoder.encode(text, template.chat))
    candidates: list[tasks_h5.Candidate] = []
    prompt: list[int] = []
    for index, (label, choice) in enumerate(zip(question.labels, question.choices, strict=True)):
        continuation = fill(template.continuation, {"letter": LETTERS[index], "choice": choice})
        prompt, tokens = encoder.encode_pair(text, continuation, template.chat)
        if not tokens or not prompt:
            raise BadRow(f"choice {label}: gives no token after {len(prompt)} tokens of prompt")
        if task.score == "letter" and len(tokens) != 1:
            raise BadRow(f"choice {label}: its letter is {len(tokens)} tokens, expected one")
        candidates.append(tasks_h5.Candidate(tokens, label, choice))
    return tasks_h5.Sample(question.id, prompt, candidates, question.gold, question.question)


def encode_all(questions: list[Question], task: Task, template: Template, encoder: TextEncoder) -> Encoded:
    """Every question that can be encoded."""
    result = Encoded()
    for question in questions:
        try:
            result.samples.append(encode(question, task, template, encoder))
            result.used.append(question)
        except BadRow as error:
            result.bad.append(f"{question.where}: {error}")
    return result


def add_reorderings(
    encoded: Encoded, n_asked: int, task: Task, template: Template, encoder: TextEncoder
) -> None:
    """Appends re-ordered samples behind the questions' own: first all #r1, then all #r2, ..."""
    n_questions = len(encoded.used)
    orders = [reorder.orders(question, n_asked) for question in encoded.used]
    for number in range(1, n_asked + 1):
        for index in range(n_questions):
            if number > len(orders[index]):
                continue
            order = orders[index][number - 1]
            question = reorder.apply(encoded.used[index], order, number)
            sample = encode(question, task, template, encoder)
            encoded.samples.append(tasks_h5.reordered(sample, index, order))
