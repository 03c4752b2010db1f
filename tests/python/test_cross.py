"""`cola cross`: its verdicts are those of `cola search` and of `cola eval`, its chains those of every kind of
file, and the analysis reads what it wrote."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cola_analysis.chain_text import print_chain
from cola_analysis.cross import Cross
from cola_analysis.read import Run
from conftest import DATA, ROOT, File

N_ROWS = 2


def cola(program: Path, *arguments: str | Path, expected: int = 0) -> str:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expected, done.stderr
    return done.stdout if expected == 0 else done.stderr


def cross(program: Path, model: Path, file: File, name: str, *options: str | Path) -> Path:
    out = file.path.with_name(f"{name}.h5")
    common = ("--tasks", file.path, "--model", model, "--out", out, "--quiet")
    cola(program, "cross", *common, *options)
    return out


def make(program: Path, model: Path, run: Callable[..., File], score: str) -> tuple[File, Path, Path]:
    """Tasks, a search's run, and the table of its chains with details."""
    task = "gsm8k" if score == "generate" else "arc_easy"
    more = ["--max-new-tokens", "3"] if task == "gsm8k" else []
    rows = DATA / f"{task}.jsonl"
    file = run(rows, "--limit", str(N_ROWS), *more, task=task, score=score)
    found = file.path.with_name("run.h5")
    common = ("--model", model, "--out", found, "--simulations", "4", "--quiet")
    cola(program, "search", file.path, *common)
    return file, found, cross(program, model, file, "x", "--from", found, "--details")


def requests(file: File, chains: list[Any]) -> list[dict[str, Any]]:
    """The whole table as lines for `cola eval`."""
    prompts = [row.tolist() for row in file.ragged("samples/prompt")]
    score = file.attributes["score"]
    lines = []
    for i, prompt in enumerate(prompts):
        if score == "generate":
            stop = file.attributes["stop_tokens"].tolist()
            ask: dict[str, Any] = {"max_new_tokens": int(file.attributes["max_new_tokens"]), "stop": stop}
        elif score == "loglik":
            ask = {"continuations": file.candidate_tokens()[i]}
        else:
            ask = {"tokens": [tokens[0] for tokens in file.candidate_tokens()[i]]}
        kind = "next" if score == "letter" else score
        lines += [{"chain": chain, "prompt": prompt, "score": kind, **ask} for chain in chains]
    return lines


def check_eval(program: Path, model: Path, file: File, x: Path) -> None:
    """The verdicts are those of `cola eval`."""
    with Cross.open(x) as table:
        chains = [chain.tolist() for chain in table.layers][:6]
        lines = "".join(json.dumps(r) + "\n" for r in requests(file, chains))
        done = subprocess.run(
            [program, "eval", "--model", model, "-"], input=lines, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        answers = iter(json.loads(line) for line in done.stdout.splitlines())
        prediction = np.concatenate([block for _, block in table.blocks("prediction", 2)])
        name = "tokens" if file.attributes["score"] == "generate" else "scores"
        details = np.concatenate([block for _, block in table.blocks(name, 3)])
        for i in range(N_ROWS):
            for c in range(len(chains)):
                answer = next(answers)
                if name == "tokens":
                    assert details[i, c][details[i, c] >= 0].tolist() == answer["tokens"]
                    continue
                scores = np.array(answer.get("logprob", answer.get("logits")), dtype=np.float32)
                assert details[i, c][: len(scores)].tobytes() == scores.tobytes()
                assert prediction[i, c] == scores.argmax()
                assert np.isnan(details[i, c][len(scores) :]).all()


def check_search(found: Path, x: Path) -> None:
    """Each (sample, chain) that the search visited; the table has those that it did not visit, too."""
    with Run.open(found) as run, Cross.open(x) as table:
        number = {tuple(chain.tolist()): c for c, chain in enumerate(table.layers)}
        right = np.concatenate([block for _, block in table.blocks("right")])
        prediction = np.concatenate([block for _, block in table.blocks("prediction")])
        visited = 0
        rewards, predictions = run.column("chains/reward"), run.column("chains/prediction")
        for i in range(N_ROWS):
            for row in range(*run.chain_rows(i)):
                c = number[tuple(run.layers_of(row).tolist())]
                assert right[i, c] == rewards[row] and prediction[i, c] == predictions[row]
                visited += 1
        assert visited == run.n_chains < right.size
        assert table.choices == list(run.samples["choices"]) and len(table.choices[0]) > 0
        assert table.complete and table.n_right.tolist() == right.sum(axis=0).tolist()


def check_show(program: Path, x: Path) -> None:
    """`cola show` and the analysis agree."""
    page = json.loads(cola(program, "show", x, "--json"))
    with Cross.open(x) as table:
        frame = table.chains
        ranked = frame.iloc[table.ranking()]
        assert [row["chain"] for row in page["by_right"]] == ranked["text"].tolist()
        assert [row["right"] for row in page["by_right"]] == ranked["n_right"].tolist()
        coverage = table.coverage(100)
        for how, name in (("greedy", "greedy"), ("most right", "most_right")):
            ours = coverage[coverage["how"] == how]
            assert [row["covered"] for row in page["menu"][name]] == ours["hits"].tolist()
            assert [row["chain"] for row in page["menu"][name]] == ours["text"].tolist()
    assert "menu" in cola(program, "show", x)
    with h5py.File(x) as file:
        assert file.attrs["filetype"] == "cola-cross" and file["results/right"].ndim == 2


@pytest.mark.parametrize("score", ["loglik", "letter", "generate"])
def test_a_table_says_what_search_and_eval_say(
    program: Path, model: Path, run: Callable[..., File], score: str
) -> None:
    file, found, x = make(program, model, run, score)
    check_search(found, x)
    check_eval(program, model, file, x)
    check_show(program, x)


def test_a_table_of_version_1_0_is_read(program: Path, tmp_path: Path) -> None:
    """Written before tables had the texts of the choices."""
    old = ROOT / "tests" / "data" / "runs" / "cross-1.0.h5"
    assert cola(program, "show", old, "--digest").strip() == "xxh3:cbab8c0bb3abf2bce38e7a2264c65e86"
    with Cross.open(old) as table:
        assert table.complete and table.choices == [[], [], []] and table.base is not None
        assert sorted(table.chains["text"]) == ["(0-1)x2,2-5", "0-2,4-5", "0-5"]
    assert json.loads(cola(program, "show", old, "--json"))["by_right"]


def test_top_ranks_by_right_samples_then_layers_then_order(
    program: Path, model: Path, run: Callable[..., File]
) -> None:
    file = run(DATA / "arc_easy.jsonl", "--limit", "4", score="letter")
    found = file.path.with_name("run.h5")
    cola(program, "search", file.path, "--model", model, "--out", found, "--simulations", "6", "--quiet")
    right: dict[tuple[int, ...], int] = {}
    with Run.open(found) as of:
        for row, reward in enumerate(of.column("chains/reward")):
            chain = tuple(of.layers_of(row).tolist())
            right[chain] = right.get(chain, 0) + int(reward)
    ranked = sorted(right, key=lambda chain: (-right[chain], len(chain), chain))
    assert len(ranked) > 8
    for k in (1, 7):
        x = cross(program, model, file, f"top{k}", "--from", found, "--top", str(k))
        with Cross.open(x) as table:
            assert [tuple(chain.tolist()) for chain in table.layers] == sorted(ranked[:k])


def test_every_kind_of_file_gives_the_same_table(
    program: Path, model: Path, run: Callable[..., File]
) -> None:
    file = run(DATA / "arc_easy.jsonl", "--limit", "2", score="letter")
    chains = [[*range(30)], [*range(28)], [*range(10), *range(8, 30)]]
    wrong = [*range(5, 30)]
    text = [print_chain(chain) for chain in chains]
    objects = [json.dumps({"id": i, "chain": chain}) for i, chain in enumerate(chains)]
    polar = [
        {"question": "?", "final_valid_transitions": chains[:2], "final_invalid_transitions": [wrong]},
        {"question": "!", "final_valid_transitions": chains[1:], "final_invalid_transitions": []},
    ]
    files = {
        "text": "# chains\n" + "\r\n".join(reversed(text)) + "\n\n 0-29 \n",
        "lists": "\n".join(json.dumps(chain) for chain in chains),
        "objects": "\n".join(objects),
        "mixed": f'{text[0]}\n{chains[1]}\n{{"chain": "{text[2]}"}}',
        "merged_mcts_samples.json": json.dumps({"metadata": {}, "samples": polar}, indent=2),
    }
    digests = set()
    for name, content in files.items():
        path = file.path.with_name(name)
        path.write_text(content)
        x = cross(program, model, file, f"x-{name}", "--chains", path)
        digests.add(cola(program, "show", x, "--digest"))
    assert len(digests) == 1
    x = cross(program, model, file, "wrong", "--chains", path, "--polar-invalid")
    with Cross.open(x) as table:
        assert [c.tolist() for c in table.layers] == sorted([*chains, wrong])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no chain in it"),
        ("0-29\n[0, -1]\n", "line 2"),
        ('{"chain": 3}\n', "line 1"),
        ('{"samples": [{"final_valid_transitions": [[0, "1"]]}]}', "sample 0"),
        ('{"samples": [{}]}', "final_valid_transitions"),
        ("0-40\n", "is none of this model"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    program: Path, model: Path, run: Callable[..., File], text: str, word: str
) -> None:
    file = run(DATA / "arc_easy.jsonl", "--limit", "1", score="letter")
    bad = file.path.with_name("bad")
    bad.write_text(text)
    out = file.path.with_name("x.h5")
    common = ("--tasks", file.path, "--model", model, "--out", out, "--chains", bad)
    assert word in cola(program, "cross", *common, expected=1)
    assert not out.exists() and not out.with_name("x.h5.journal").exists()
