"""The command line: `python -m dafl distill`, `compress`, `convert`, `inspect`, `generate` and `evaluate`.

Results go to stdout, as a table or with --json as one object; progress and failures go to stderr. The exit code is 0 for
success, 1 for a failure, told in a sentence, and 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import typing
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import viz
from ._arrays import FloatArray
from ._compress import compress, generated
from ._config import read_config, write_config
from ._distill import distill
from ._layout import LAYOUTS
from ._options import Ways
from ._version import __version__
from .distillation import Options, Progress
from .errors import InvalidArgument, Unsupported
from .network import Network
from .onnx import Teacher as OnnxTeacher
from .result import Result
from .teacher import ANSWERS, Teacher

UNITS = ("input_mean", "input_deviation", "input_range")
"""Arguments that say what numbers the teacher's images are."""

REPEATED = ("teacher", "output", "generator", "input_shape", "classes", "run", "answers", "output_name", "layout", *UNITS, "log")
"""Arguments of `distill` that a configuration has beside the options of the run."""

Report = dict[str, Any]
"""What a command found, by name, in the order of the table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    logging.basicConfig(format="dafl: %(message)s")
    try:
        options = parser().parse_args(configured(joined(sys.argv[1:] if arguments is None else arguments)))
        report, code = options.command(options)
    except KeyboardInterrupt:
        print("dafl: interrupted", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"dafl: {sentence(error)}", file=sys.stderr)
        return 1
    try:
        print(json.dumps(report) if options.json else table(report), flush=True)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="dafl", description="Turns a trained classifier into a smaller one without its training data.",
        epilog="Exit codes: 0 success, 1 failure, 2 wrong command line. "
               "Example: dafl distill --teacher teacher.onnx -o student.onnx")
    whole.add_argument("--version", action="version", version=__version__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    command = add(commands, "distill", distil, "distil a teacher into a student")
    command.add_argument("--teacher", required=True, type=Path, metavar="FILE",
                         help="a network: .safetensors of this library, or .onnx")
    command.add_argument("--student", metavar="WHAT",
                         help="half, or width=0.25,depth=0.5: the teacher's own graph with a share of its channels and blocks; "
                              "small; an architecture such as lenet5-half, 'resnet18(classes=100)' or mlp-784-100-10; or a file: "
                              ".json, or a network to start as. The default, auto: half of a network, and small for what ONNX "
                              "Runtime runs")
    command.add_argument("-o", "--output", required=True, type=Path, metavar="FILE",
                         help="where the student goes (.onnx or .safetensors)")
    command.add_argument("--generator", type=Path, metavar="FILE", help="where the generator goes too, for `generate`")
    command.add_argument("--input-shape", type=shape, metavar="C,H,W",
                         help="channels, height, width of an image, or the length of a vector; where the teacher does not say")
    command.add_argument("--classes", type=int, metavar="N", help="compared with the teacher's")
    command.add_argument("--run", choices=("here", "onnxruntime"),
                         help="what runs an .onnx teacher: this library, with the teacher's own gradients, or ONNX Runtime, "
                              "which is only queried (default: here where the library can)")
    onnx = command.add_argument_group("an .onnx teacher's own, for ONNX Runtime")
    onnx.add_argument("--answers", choices=ANSWERS, help="what its output is (default: auto)")
    onnx.add_argument("--output-name", metavar="NAME", help="its output with the answers (default: found)")
    onnx.add_argument("--layout", choices=LAYOUTS, help="where its images have their channels (default: found)")
    add_units(command)
    command.add_argument("--preset", default="fast", help="fast (minutes, the default) or paper (hours)")
    command.add_argument("--seed", type=int, metavar="N", help="of everything random (default: 0)")
    command.add_argument("--steps", type=int, metavar="N", help="steps of the run (default: the preset's)")
    command.add_argument("--threads", type=int, metavar="N", help="default: as many as there are processors")
    command.add_argument("--set", type=setting, action="append", default=[], metavar="NAME=VALUE", dest="settings",
                         help="any other option of dafl.Options, such as batch_size=128; may be repeated")
    command.add_argument("--checkpoint", type=Path, metavar="FILE",
                         help="where the run saves itself now and then; where the file is there, the run goes on from it")
    command.add_argument("--patience", type=int, metavar="N",
                         help="end the run when the student has not become better for so many steps")
    command.add_argument("--log", action="append", default=[], metavar="FILE.csv",
                         help="keep each step's progress in a table, or, without .csv, in a folder for TensorBoard; repeatable")
    command.add_argument("--config", type=Path, metavar="FILE.toml",
                         help="arguments by their names, as --save-config writes them; those given here win")
    command.add_argument("--save-config", type=Path, metavar="FILE.toml",
                         help="write all that --config needs to do this run again")
    command.add_argument("--no-progress", action="store_true", help="show nothing on the way")

    command = add(commands, "compress", smaller, "make a network smaller without data")
    command.add_argument("network", type=Path, metavar="IN", help="network (.onnx or .safetensors)")
    command.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="where it goes (.onnx or .safetensors)")
    command.add_argument("--to", type=way, action="append", required=True, metavar="WAY=NUMBER", dest="ways",
                         help="a way of dafl.Ways and how far it goes: multiply_adds=0.5, channels=0.5, prune=0.9, bits=5, "
                              "int8=1; repeatable, one after the other; several with commas between are taken at once: "
                              "bits=5,convolution_bits=8")
    command.add_argument("--images", type=Path, metavar="FILE.npz",
                         help="an array `images` of the network's own units, for ways that look at some, such as int8 (default: "
                              "the library draws them)")
    command.add_argument("--repair", type=int, default=0, metavar="STEPS",
                         help="steps of distillation after each, with the network as it was for a teacher (default: none)")
    command.add_argument("--set", type=setting, action="append", default=[], metavar="NAME=VALUE", dest="settings",
                         help="an option of dafl.Options for the repair, such as seed=1; may be repeated")
    command.add_argument("--input-shape", type=shape, metavar="C,H,W", help="where the file leaves sizes free")
    add_units(command)
    command.add_argument("--no-progress", action="store_true", help="show nothing on the way")

    command = add(commands, "convert", convert, "write a network in another format")
    command.add_argument("network", type=Path, metavar="IN", help="network (.onnx or .safetensors)")
    command.add_argument("output", type=Path, metavar="OUT", help="where it goes (.onnx or .safetensors)")
    command.add_argument("--input-shape", type=shape, metavar="C,H,W", help="where the file leaves sizes free")

    command = add(commands, "inspect", inspect, "tell what a network is")
    command.add_argument("network", type=Path, metavar="FILE", help="network (.onnx or .safetensors)")
    command.add_argument("--input-shape", type=shape, metavar="C,H,W", help="where the file leaves sizes free")

    command = add(commands, "generate", generate, "make images by a generator that `distill --generator` wrote, or of a teacher")
    command.add_argument("network", nargs="?", type=Path, metavar="FILE", help="generator (.safetensors)")
    command.add_argument("--teacher", type=Path, metavar="FILE",
                         help="in its place, a network (.onnx or .safetensors) for which images are made as a distillation makes "
                              "them, in its own units: to calibrate a quantisation with")
    command.add_argument("--steps", type=count, default=60, metavar="N",
                         help="of --teacher: steps of the distillation before (default: 60)")
    command.add_argument("-o", "--output", required=True, type=Path, metavar="FILE",
                         help="an array `images` (.npz), or a picture (.png, needs matplotlib)")
    command.add_argument("--count", type=count, default=64, metavar="N", help="how many (default: 64)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise (default: 0)")
    command.add_argument("--shape", type=shape, metavar="C,H,W", help="of an image (default: square, of one or three channels)")
    add_units(command)

    command = add(commands, "evaluate", evaluate, "measure a network on images")
    command.add_argument("network", type=Path, metavar="FILE", help="network (.onnx or .safetensors)")
    command.add_argument("data", type=Path, metavar="DATA",
                         help=".npz with images [count, channels, height, width] and perhaps labels [count]")
    command.add_argument("--teacher", type=Path, metavar="FILE", help="network to agree with (.onnx or .safetensors)")
    return whole


def add(commands: Any, name: str, command: Any, description: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=description, description=description.capitalize() + ".", allow_abbrev=False)
    added.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    added.set_defaults(command=command)
    return added


def add_units(command: argparse.ArgumentParser) -> None:
    command.add_argument("--input-mean", type=numbers, metavar="M[,M...]",
                         help="mean of the teacher's images: a number, or one for each channel or feature")
    command.add_argument("--input-deviation", type=numbers, metavar="D[,D...]", help="their standard deviation, likewise")
    command.add_argument("--input-range", type=numbers, metavar="LOW,HIGH",
                         help="in the place of both: their lowest and highest number, such as 0,255")


def units(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_units` added and the command line has."""
    return {name: value for name in UNITS if (value := getattr(options, name)) is not None}


def configured(arguments: list[str]) -> list[str]:
    """The arguments, behind those of the file that --config names."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--config", type=Path)
    path = own.parse_known_args(arguments)[0].config
    if arguments[:1] != ["distill"] or path is None:
        return arguments
    words = ["distill"]
    for name, value in read_config(path).items():
        if name != "options":
            words += [f"--{name.replace('_', '-')}={one}" for one in (value if isinstance(value, list) else [value])]
    return words + arguments[1:]


def configuration(options: argparse.Namespace, ran: dict[str, Any]) -> dict[str, Any]:
    """What --config needs to do a run again: its arguments, and all the options that it had."""
    said = {name: getattr(options, name) for name in REPEATED}
    for name, value in said.items():
        if isinstance(value, tuple) or (isinstance(value, list) and name != "log"):
            said[name] = ",".join(map(str, value))
    # A run that is done again does not go on from the checkpoint of the first.
    return {name: value for name, value in said.items() if value not in (None, [])} | {"options": ran | {"checkpoint": None}}


def distil(options: argparse.Namespace) -> tuple[Report, int]:
    base = {} if options.config is None else read_config(options.config).get("options", {})
    given = {"student": options.student, "seed": options.seed, "steps": options.steps, "threads": options.threads}
    given |= {"checkpoint": options.checkpoint, "patience": options.patience}
    given |= units(options)
    settings: dict[str, Any] = base | {name: value for name, value in given.items() if value is not None}
    settings |= dict(options.settings)
    require_writable(options.output, ".safetensors", ".onnx")  # now, and not after hours
    if options.generator is not None:
        require_writable(options.generator, ".safetensors")
    if (config := options.save_config) is not None:
        require_writable(config, ".toml")

    def begun(progress: Progress, result: Result) -> None:
        """After the first step, and not after hours."""
        nonlocal config
        if config is not None:
            write_config(config, configuration(options, result.distillation.options))
            config = None

    code = 0
    try:
        result = distill(teacher_from(options), input_shape=options.input_shape, classes=options.classes,
                         preset=options.preset, progress=not options.no_progress, log=options.log, on_step=begun, **settings)
    except (KeyboardInterrupt, Exception) as stop:
        if (stopped := result_of(stop)) is None:
            raise
        result, code = stopped, 1
        reason = "interrupted" if isinstance(stop, KeyboardInterrupt) else sentence(stop)
        print(f"dafl: {reason}; the student is the one so far", file=sys.stderr)
    student = result.student
    student.save(options.output)
    if config is not None:  # nothing was left to do
        write_config(config, configuration(options, result.distillation.options))
    if options.generator is not None:
        result.distillation.generator().save(options.generator)
    now = result.distillation.progress
    return {
        "student": named(student), "parameters": student.info.parameters,
        "multiply_adds": student.info.multiply_adds, "steps": now.step,
        "agreement": None if math.isnan(now.agreement) else now.agreement,
        "queries": result.queries, "seconds": round(result.seconds, 1), "written": str(options.output),
    }, code


def smaller(options: argparse.Namespace) -> tuple[Report, int]:
    require_writable(options.output, ".safetensors", ".onnx")
    network = Network.load(options.network, input_shape=options.input_shape)
    ways = options.ways
    if options.images is not None:
        images, _ = read_data(options.images)
        ways = [{**way, "images": images} for way in ways]
    settings = units(options) | dict(options.settings)
    small = compress(network, ways, repair=options.repair, progress=not options.no_progress, **settings)
    # Zeros and shared weights take little room only where they are packed.
    packed = options.output.suffix != ".onnx" and any(way.keys() & {"prune", "bits"} for way in options.ways)
    small.save(options.output, compressed=packed)
    return {"parameters": small.info.parameters, "parameters_before": network.info.parameters,
            "multiply_adds": small.info.multiply_adds, "multiply_adds_before": network.info.multiply_adds,
            "bytes": options.output.stat().st_size, "written": str(options.output)}, 0


def convert(options: argparse.Namespace) -> tuple[Report, int]:
    require_writable(options.output, ".safetensors", ".onnx")
    network = Network.load(options.network, input_shape=options.input_shape)
    network.save(options.output)
    return {"architecture": named(network), "parameters": network.info.parameters, "written": str(options.output)}, 0


def inspect(options: argparse.Namespace) -> tuple[Report, int]:
    network = Network.load(options.network, input_shape=options.input_shape)
    info = network.info
    shapes = {name: list(values.shape) for name, values in network.state_dict().items()}
    return {"architecture": named(network), "input_shape": list(info.input_shape), "outputs": info.outputs,
            "head": info.head, "layout": LAYOUTS[info.channels_last],
            "features": info.features, "parameters": info.parameters, "multiply_adds": info.multiply_adds,
            "tensors": shapes}, 0


def generate(options: argparse.Namespace) -> tuple[Report, int]:
    if (options.network is None) == (options.teacher is None):
        raise ValueError("images are made by a generator or of a --teacher: give one of them")
    if options.output.suffix not in (".npz", ".png"):
        raise ValueError(f"{options.output} must end in .npz or .png")
    images = generator_images(options) if options.teacher is None else teacher_images(options)
    if options.output.suffix == ".png":
        viz.image_grid(images).savefig(options.output)
    else:
        np.savez(options.output, images=images)
    return {"images": list(images.shape), "written": str(options.output)}, 0


def generator_images(options: argparse.Namespace) -> FloatArray:
    network = Network.load(options.network)
    info = network.info
    if not info.architecture.startswith("dafl-"):
        raise ValueError(f"{options.network} holds {named(network)}, which is no generator; --teacher takes other networks")
    noise = np.random.default_rng(options.seed).standard_normal((options.count, *info.input_shape), np.float32)
    return network.predict(noise).reshape(options.count, *(options.shape or square_shape(info.outputs)))


def teacher_images(options: argparse.Namespace) -> FloatArray:
    teacher = Network.load(options.teacher, input_shape=options.shape)
    return generated(teacher, options.count, options.steps, seed=options.seed, **units(options))


def evaluate(options: argparse.Namespace) -> tuple[Report, int]:
    network = Network.load(options.network)
    images, labels = read_data(options.data)
    report: Report = {"images": len(images)}
    if labels is not None:
        report["accuracy"] = network.evaluate(images, labels)
    if options.teacher is not None:
        report["agreement"] = network.evaluate(images, Network.load(options.teacher).predict_proba(images).argmax(1))
    if len(report) == 1:
        raise ValueError(f"{options.data} has no labels, and there is no --teacher to agree with")
    return report, 0


def teacher_from(options: argparse.Namespace) -> Teacher | Network:
    own = {"answers": options.answers, "output": options.output_name, "layout": options.layout}
    given: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    if options.teacher.suffix == ".onnx":
        return onnx_teacher(options, given)
    if given:
        raise ValueError(f"--{flag(given)} is for a teacher in an .onnx file; this one is a network, of logits and of its own "
                         "layout")
    if options.run == "onnxruntime":
        raise ValueError("--run onnxruntime is for a teacher in an .onnx file")
    return Network.load(options.teacher)


def onnx_teacher(options: argparse.Namespace, given: dict[str, Any]) -> Teacher | Network:
    """The network of the file, or, where the library does not read it, the file in ONNX Runtime."""
    if given and options.run == "here":
        raise ValueError(f"--{flag(given)} is for --run onnxruntime")
    if not given and options.run != "onnxruntime":
        try:
            return Network.load(options.teacher, input_shape=options.input_shape)
        except (Unsupported, InvalidArgument) as error:  # also rows of numbers that --input-shape makes images of
            if options.run == "here":
                raise
            print(f"dafl: the teacher runs in ONNX Runtime and is only queried: {sentence(error)}", file=sys.stderr)
    return OnnxTeacher(options.teacher, input_shape=options.input_shape, classes=options.classes, **given)


def flag(given: dict[str, Any]) -> str:
    """The option that was given for ONNX Runtime."""
    return "output-name" if "output" in given else next(iter(given))


def named(network: Network) -> str:
    """The network's architecture; where it has no name but a description, that in short."""
    architecture = network.info.architecture
    if not architecture.startswith("{"):
        return architecture
    return f"graph of {len(json.loads(architecture)['nodes'])} layers"


def result_of(stop: BaseException) -> Result | None:
    """What was learned before an exception; None for less than a step. The library hands out no student of NaNs."""
    try:
        result = Result.so_far(stop)
    except ValueError:
        return None
    return result if result.last is not None else None


def require_writable(path: Path, *endings: str) -> None:
    """ValueError unless a network may be written there."""
    if path.suffix not in endings:
        raise ValueError(f"{path} must end in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{path} cannot be written: it is a folder")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written: {path.parent} may not be written to")


def read_data(path: Path) -> tuple[Any, Any]:
    """The images and labels of an .npz file; None for labels that are not there."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is no .npz file, such as numpy.savez writes with images=...")
    with np.load(path) as data:
        if "images" not in data:
            raise ValueError(f"{path} has no array `images`, only {', '.join(data) or 'nothing'}")
        return data["images"], data["labels"] if "labels" in data else None


def square_shape(count: int) -> tuple[int, int, int]:
    """The shape of a square image of one or three channels that has so many numbers, else that of a vector."""
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if channels * side * side == count:
            return channels, side, side
    return count, 1, 1


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def shape(text: str) -> tuple[int, int, int]:
    sizes = [int(size) for size in text.split(",")]
    if len(sizes) == 1:
        return sizes[0], 1, 1
    channels, height, width = sizes
    return channels, height, width


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def joined(arguments: Sequence[str]) -> list[str]:
    """Arguments with `--input-range -1,1` as `--input-range=-1,1`: argparse takes only a single number for no option."""
    found: list[str] = []
    for argument in arguments:
        if found and found[-1] in ("--input-mean", "--input-range") and argument.startswith("-") and argument[1:2].isdigit():
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with the value in the option's own type."""
    name, _, value = text.partition("=")
    return name, typed(Options, name, value)


def typed(options: Any, name: str, value: str) -> Any:
    """The value in the type that a TypedDict gives to the name."""
    kinds = {name: kind for name, kind in typing.get_type_hints(options).items() if kind in (str, int, float)}
    if name not in kinds:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(sorted(kinds))}")
    try:
        return kinds[name](value)
    except ValueError:
        number = "whole number" if kinds[name] is int else "number"
        raise argparse.ArgumentTypeError(f"{name} must be a {number}, not {value!r}") from None


def way(text: str) -> dict[str, Any]:
    """WAY=NUMBER, or several with commas between."""
    ways = [one.partition("=") for one in text.split(",")]
    return {name: typed(Ways, name, value) for name, _, value in ways}


def sentence(error: Exception) -> str:
    """The first line of what the error says, or its kind where it says nothing."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def table(report: Report) -> str:
    """A line for each name; what is below a name, indented."""
    lines = []
    for name, value in report.items():
        if isinstance(value, dict):
            lines.append(name)
            lines += [f"  {key:24} {shown(key, inner)}" for key, inner in value.items()]
        else:
            lines.append(f"{name.replace('_', '-'):14} {shown(name, value)}")
    return "\n".join(lines)


def shown(name: str, value: Any) -> str:
    if value is None:
        return "not measured yet"
    if name in ("accuracy", "agreement"):
        return f"{value:.2%}"
    if isinstance(value, list):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)
