"""The commands and their options, as `argparse` knows them: help, defaults, examples, completion."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import topograph as tg
from analysis.cli import commands, planning
from analysis.cli.arguments import numbers, whole_numbers, words
from analysis.cli.study import add_study_commands
from analysis.recipes import RECIPES

_SHELLS = ("bash", "zsh", "tcsh")
_EXIT = """exit status:
  0 all done   1 an error: one line says what went wrong and what to do   2 wrong usage   130 stopped by Ctrl-C"""
_MORE = """examples:
  topograph measure mask.npy                              metrics of any mask or model file
  topograph study run studies/digits.toml                 train a grid of networks
  topograph report digits.sqlite                          what the study says
  eval "$(topograph completion bash)"                     completion for this shell"""


class Parser(argparse.ArgumentParser):
    """A parser that keeps examples as they are written, and whose errors say where to look."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.set_defaults(parser=self)  # the innermost one's stays: that of the command that was given

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse arguments that the command does not have, by the command's own parser."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command: Parser = options.parser
            names = [name for action in command._actions for name in action.option_strings]
            close = get_close_matches(unknown[0].partition("=")[0], names, n=1, cutoff=0.75)
            command.error(f"unknown: {' '.join(unknown)}" + (f"; did you mean {close[0]}?" if close else ""))
        return options

    def error(self, message: str) -> NoReturn:
        """One line on the error, one line on where to read more; exit status 2."""
        wrong, _, rest = message.partition("invalid choice: ")
        if rest:
            given, _, choices = rest.partition(" (choose from ")
            close = get_close_matches(given.strip("'"), [choice.strip("') ") for choice in choices.split(",")], n=1)
            message = f"{wrong}invalid choice: {rest}" + (f"; did you mean {close[0]!r}?" if close else "")
        self.exit(2, f"{self.prog}: {message}\nSee: {self.prog} --help\n")


def make_parser() -> Parser:
    """The parser of ``topograph``."""
    parser = Parser(
        prog="topograph",
        description="Sparse network topologies as bipartite graphs: measure them, build them, train on them, and test\n"
        "whether the graph explains the accuracy.",
        epilog=f"{_MORE}\n\n{_EXIT}\n\nEach command has its own help: topograph COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"topograph {tg.__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: object, what: str, *examples: str) -> argparse.ArgumentParser:
        shown = "\n  ".join(examples)
        sub = subparsers.add_parser(name, help=what, description=f"{what}.", epilog=f"example:\n  {shown}")
        sub.set_defaults(run=function)
        return sub

    sub = command(
        "measure",
        commands.measure,
        "Compute graph metrics of the masks in files",
        "topograph measure mask.npy model.safetensors --density 0.1 --exclude 'head.*'",
    )
    sub.description = (
        "Compute graph metrics of the masks in files: NumPy, SciPy, MatrixMarket, edge lists, safetensors, PyTorch,\n"
        "Keras, ONNX. One row per layer, one column per metric; undefined values have a reason, and what is not a\n"
        "mask is counted."
    )
    _files(sub.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of shards"))
    sub.add_argument("--metrics", type=words, help="metrics or groups, such as spectral,density (default: short)")
    reading = sub.add_argument_group("edges and layers")
    reading.add_argument("--threshold", type=float, help="a weight of magnitude above this (default: not zero)")
    reading.add_argument("--density", type=float, help="the largest magnitudes, this share of the weights")
    reading.add_argument("--sparsity", type=float, help="instead of the density: 1 - density")
    reading.add_argument("--scope", choices=["layer", "global"], help="share of each layer, or of all (default: layer)")
    reading.add_argument("--unfold", choices=["kernel", "channel", "unrolled"], help="convolutions (default: kernel)")
    reading.add_argument(
        "--image-size", type=whole_numbers, help="size of the images that convolutions see, such as 32,32"
    )
    reading.add_argument("--include", type=words, help="only layers that match, such as 'encoder.*'")
    reading.add_argument("--exclude", type=words, help="no layers that match")
    reading.add_argument(
        "--orientation",
        choices=["in_out", "out_in"],
        help="orientation of the matrices, where the format is wrong about it",
    )
    output = sub.add_argument_group("output")
    output.add_argument("--format", choices=["table", "csv", "json", "parquet"], default="table", help=_default())
    output.add_argument("--left-out", action="store_true", help="list what is not a mask, each with the reason")
    output.add_argument("--long", action="store_true", help="one row per metric, with residuals and reasons")
    _files(output.add_argument("--out", type=Path, help="this file instead of the terminal (needed for parquet)"))

    sub = command(
        "build",
        commands.build,
        "Build a topology, or masks for a model, and save it",
        "topograph build fibonacci_rotating --sizes 784,300,10 --degrees 30,10 --out t.npz",
        "topograph build erdos_renyi --model lenet5 --density 0.1 --allocation erk --out masks.npz",
    )
    sub.add_argument("construction", help="see: topograph list constructions")
    shape = sub.add_mutually_exclusive_group(required=True)
    shape.add_argument("--sizes", type=whole_numbers, help="neurons in each layer, such as 784,300,10")
    _add_model(sub, shape)
    sub.add_argument("--dataset", default="digits", help="with --model: the data that size it (default: %(default)s)")
    many = sub.add_argument_group("how many edges: one of")
    many.add_argument("--degrees", type=numbers, help="outputs of each input, one per layer or one for all")
    many.add_argument("--densities", type=numbers, help="share of the possible edges, likewise")
    many.add_argument("--edges", type=int, help="edges of the whole network, met exactly")
    many.add_argument("--density", type=float, help="share of the possible edges of the whole network, met exactly")
    many.add_argument("--sparsity", type=float, help="instead of the density: 1 - density")
    many.add_argument(
        "--allocation", default="uniform", help="how layers share the edges of the network (default: %(default)s)"
    )
    sub.add_argument("--seed", type=int, default=0, help="seed of the random draws (default: %(default)s)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the construction")
    _files(sub.add_argument("--out", required=True, type=Path, help="the .npz or .safetensors file to write"))
    add_format(sub)

    sub = command(
        "train",
        commands.train,
        "Train one network on a topology, or a model on masks",
        "topograph train t.npz --dataset digits --set epochs=5 --set learning_rate=0.5",
        "topograph train masks.npz --model lenet5 --set epochs=5 --set learning_rate=0.1",
    )
    _files(sub.add_argument("topology", type=Path, help="a file from: topograph build"))
    _add_model(sub, sub)
    sub.add_argument(
        "--trainer",
        help="a name (see: topograph list trainers) or module:Class (default: numpy, or the one of the model)",
    )
    sub.add_argument("--dataset", default="digits", help="see: topograph list datasets (default: %(default)s)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a training setting; repeatable")
    add_format(sub)

    add_study_commands(subparsers.add_parser("study", help="Run a study, see where it stands, take it elsewhere"))

    sub = command(
        "report", commands.report, "Analyse a study and write a report", "topograph report digits.sqlite --out d.html"
    )
    _files(sub.add_argument("store", type=Path, help="a store from: topograph study run, or a table"))
    _files(sub.add_argument("--out", type=Path, help="the HTML file to write (default: beside the store)"))
    _files(
        sub.add_argument(
            "--figures",
            type=Path,
            metavar="DIR",
            help="write each figure there as SVG, PNG and PDF, and each table as CSV and LaTeX",
        )
    )
    sub.add_argument("--metrics", type=words, help="columns such as l1_normalized_gap (default: all that vary)")
    sub.add_argument("--outcome", help="column to be explained (default: test_accuracy)")
    sub.add_argument("--control", type=words, help="columns held fixed by regression (default: log densities)")
    sub.add_argument("--cells", type=words, help="columns equal among compared runs (default: degrees and sizes)")
    sub.add_argument(
        "--columns", action="append", default=[], metavar="THEIRS=OURS", help="a column of a table, renamed; repeatable"
    )
    add_format(sub)

    sub = command(
        "plan",
        planning.plan,
        "Plan a study from a pilot",
        "topograph plan digits.sqlite --metric l1_normalized_gap --points 0.2",
    )
    sub.description = (
        "Say how many topologies, cells and trainings a study needs to see an effect, and what it costs. The pilot is\n"
        "a store or a table; of a specification a small part is run; without any, a small pilot on the digits."
    )
    _files(sub.add_argument("source", nargs="?", type=Path, help="a store, a table or a .toml (default: run a pilot)"))
    sub.add_argument("--metric", help="a column (default: the normalised gap of layer 1; of models, the mean)")
    sub.add_argument(
        "--points", type=float, default=0.2, help="change per standard deviation of the metric " + _default()
    )
    sub.add_argument("--power", type=float, default=0.8, help="share of studies that are to see it " + _default())
    sub.add_argument("--outcome", default="test_accuracy", help=_default())
    sub.add_argument("--control", type=words, default=(), help="columns held fixed by regression")
    sub.add_argument("--cells", type=words, help="columns equal among compared runs (default: degrees and sizes)")
    sub.add_argument("--n-cells", type=int, help="cells of the planned study (default: as many as the pilot has)")
    sub.add_argument("--trainings", type=int, help="trainings of each topology (default: the cheapest)")
    sub.add_argument(
        "--topology-hours", type=float, default=0.0, help="hours that making a topology costs " + _default()
    )
    sub.add_argument(
        "--columns", action="append", default=[], metavar="THEIRS=OURS", help="a column of a table, renamed; repeatable"
    )
    add_format(sub)

    sub = command(
        "reanalyse",
        commands.reanalyse,
        "Analyse a table that somebody published",
        "topograph reanalyse graph2nn graph2nn_mlp_cifar10.csv.gz",
    )
    sub.description = "Say what a published table, which you have, tells about accuracy beyond density, by a recipe."
    sub.add_argument("name", metavar="NAME", help=", ".join(recipe.name for recipe in RECIPES))
    _files(sub.add_argument("file", type=Path, metavar="FILE", help="the table"))
    add_format(sub)

    sub = command(
        "list",
        commands.list_names,
        "List constructions, metrics, models, trainers or data sets",
        "topograph list constructions",
    )
    sub.add_argument("what", choices=["constructions", "metrics", "models", "trainers", "datasets"])
    add_format(sub)

    sub = command(
        "completion", _completion, "Print the completion script of a shell", 'eval "$(topograph completion bash)"'
    )
    sub.description = "Print the completion script of a shell; put the example into its start-up file."
    sub.add_argument("shell", choices=_SHELLS)
    return parser


def add_format(sub: argparse.ArgumentParser) -> None:
    """The option that every command has: words for people, JSON for scripts."""
    sub.add_argument("--format", choices=["table", "json"], default="table", help=_default())


def _add_model(sub: argparse.ArgumentParser, to: Any) -> None:
    """The options that name a model; ``to`` is where ``--model`` itself goes."""
    to.add_argument("--model", help="a model (see: topograph list models) or package.module:function")
    sub.add_argument(
        "--model-set", action="append", default=[], metavar="NAME=VALUE", help="an option of the model; repeatable"
    )


def _default() -> str:
    return "(default: %(default)s)"


def _files(action: argparse.Action) -> None:
    """Complete this argument with files."""
    import shtab

    action.complete = shtab.FILE  # type: ignore[attr-defined]


def _completion(options: argparse.Namespace) -> None:
    import shtab

    print(shtab.complete(make_parser(), options.shell))
