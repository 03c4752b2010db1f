"""The command `cola-export`: runs in, training data of published routers or Parquet tables out.

Decides names and paths and says what was written; export_polar.py, export_drllm.py and export_parquet.py
write. Exit status: 0 done, 1 a file that cannot be used or written, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cola_analysis import __version__
from cola_analysis.error import RunError
from cola_analysis.export_choose import SAMPLES, Choice
from cola_analysis.export_drllm import export_drllm
from cola_analysis.export_parquet import export_parquet
from cola_analysis.export_polar import Form, Written, export_polar
from cola_analysis.export_source import Group, grouped
from cola_analysis.read import Run
from cola_analysis.results import label_of

ABOUT = """\
Writes the chains of runs in the formats that router training reads: PoLar's merged_mcts_samples.json,
Dr.LLM's training JSON, or Parquet tables. Runs over the same tasks (other spaces, presets, seeds, shards) are
united, each chain once."""

EPILOG = """\
-o of polar and drllm is a file, or a directory (there already, or with a / at its end), in which each
benchmark gets the file that the trainers look for:
  polar    OUT/MODEL/BENCHMARK/merged_mcts_samples.json   (BENCHMARK of dart_math_3: dart-math-diff-3)
  drllm    OUT/MODEL-BENCHMARK.json                       (BENCHMARK of dart_math_3: dart-3)
  parquet  OUT/chains.parquet, OUT/samples.parquet, OUT/runs.parquet

Defaults:  polar    --samples all, right and wrong chains
           drllm    --samples solved --routable: a label a sample, the shortest right chain
           parquet  everything, unfinished samples and controls included; with --samples, --top, --shorter or
                    --routable only right chains of finished samples

examples:  cola-export both.h5 skip.h5 --format polar --model-name meta-llama/Llama-3.2-3B-Instruct -o data/
           cola-export run.h5 --format polar --top 1 --shorter --no-wrong -o merged_mcts_samples.json
           cola-export run.h5 --format parquet -o tables

exit status: 0 done; 1 a file cannot be used or written; 2 wrong usage"""

DART = re.compile(r"dart_math_(\d+)")


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-export",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("runs", metavar="RUN.h5", nargs="+", help="results of `cola search`")
    p.add_argument("--format", required=True, choices=("polar", "drllm", "parquet"), help="what to write")
    p.add_argument("-o", "--out", required=True, metavar="OUT", help="file or directory, see below")
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in SAMPLES.items())
    p.add_argument("--samples", choices=tuple(SAMPLES), help=meanings)
    p.add_argument(
        "--top", type=_positive, metavar="K", help="at most K right chains a sample, the shortest first [all]"
    )
    p.add_argument("--shorter", action="store_true", help="only right chains with fewer layers than the base")
    p.add_argument(
        "--routable",
        action=argparse.BooleanOptionalAction,
        help="only right chains that pass the layers in order, each at most twice: what a skip / execute / "
        "repeat decision for each layer can express",
    )
    p.add_argument("--no-wrong", action="store_true", help="polar: leave final_invalid_transitions empty")
    p.add_argument("--plain-question", action="store_true", help="the question without its choices")
    p.add_argument("--model-name", metavar="NAME", help="the model's name in paths and files [its directory]")
    p.add_argument("--dataset", metavar="NAME", help="the benchmark's name in paths and files [the task's]")
    p.add_argument("--force", action="store_true", help="replace files that exist")
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    try:
        with ExitStack() as stack:
            runs = [stack.enter_context(Run.open(path)) for path in options.runs]
            for written in _export(options, runs):
                print(_told(options, written))
    except RunError as error:
        print(f"cola-export: {error}", file=sys.stderr)
        return 1
    return 0


def _export(options: argparse.Namespace, runs: list[Run]) -> list[Written]:
    drllm = options.format == "drllm"
    choice = Choice(
        samples=options.samples or ("solved" if drllm else "all"),
        top=options.top,
        shorter=options.shorter,
        routable=drllm if options.routable is None else options.routable,
    )
    out = Path(options.out)
    if options.format == "parquet":
        return [export_parquet(runs, out, choice, options.force)]
    groups = grouped(runs)
    is_directory = out.is_dir() or str(options.out).endswith("/")
    if len(groups) > 1 and not is_directory:
        raise RunError(
            f"{out}: these runs are of {len(groups)} task files, and a file holds one; "
            f"give a directory: {out}/"
        )
    if len(groups) > 1 and options.dataset:
        raise RunError("--dataset names one benchmark, but these runs are of several task files")
    paths = [_path(options, out, group) if is_directory else out for group in groups]
    if len(set(paths)) < len(paths):
        raise RunError(
            "two task files have the same benchmark name, so one would replace the other: export them apart"
        )
    return [_one(options, group, path, choice) for group, path in zip(groups, paths, strict=True)]


def _one(options: argparse.Namespace, group: Group, path: Path, choice: Choice) -> Written:
    names = {"model_name": _model(options, group), "dataset": _dataset(options, group)}
    form = Form(
        metadata={
            "program": f"cola-export {__version__}",
            **names,
            "model_fingerprint": group.runs[0].attribute("model_fingerprint"),
            "numerics_id": str(group.runs[0].attributes.get("numerics_id", "")),
            "score": group.runs[0].attribute("score"),
            "runs": [str(run.attributes.get("run_id", "")) for run in group.runs],
            "choice": {"samples": choice.samples, "top": choice.top}
            | {"shorter": choice.shorter, "routable": choice.routable},
        },
        plain_question=options.plain_question,
        wrong=not options.no_wrong,
    )
    if options.format == "drllm":
        written = export_drllm(group, path, choice, form, names, options.force)
    else:
        written = export_polar(group, path, choice, form, options.force)
    for count, why in ((group.n_unfinished, "unfinished"), (group.n_without_gold, "without a known answer")):
        if count:
            print(f"cola-export: {path}: {count} samples {why}, left out", file=sys.stderr)
    return written


def _model(options: argparse.Namespace, group: Group) -> str:
    return options.model_name or label_of(group.runs[0]).model


def _dataset(options: argparse.Namespace, group: Group) -> str:
    """The benchmark's name as the trainers have it: dart-math-diff-N or dart-N; else the task's."""
    if options.dataset:
        return str(options.dataset)
    found = DART.fullmatch(group.task)
    if not found:
        return group.task
    return f"dart-math-diff-{found[1]}" if options.format == "polar" else f"dart-{found[1]}"


def _path(options: argparse.Namespace, out: Path, group: Group) -> Path:
    model, dataset = _model(options, group), _dataset(options, group)
    if options.format == "polar":
        return out / model / dataset / "merged_mcts_samples.json"
    return out / f"{model.replace('/', '-')}-{dataset}.json"


def _told(options: argparse.Namespace, written: Written) -> str:
    text = f"{written.path}: {written.n_samples} samples, {written.n_right} right chains"
    if options.format != "drllm":
        text += f", {written.n_wrong} wrong ones"
    if written.n_left_out or written.n_right_left_out:
        text += f"; left out: {written.n_left_out} samples, {written.n_right_left_out} right chains"
    return text


if __name__ == "__main__":
    sys.exit(main())
