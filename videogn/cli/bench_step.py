"""videogn bench step: time, memory and part of the roofline of a training step and of inference, side by side."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from videogn.checks import check_choice, require_positive
from videogn.choices import ARCH, NUM_CLASSES, GroupNormName, MemoryFormatName, MemoryModeName, PrecisionName
from videogn.cli.clip_words import length_and_interval

if TYPE_CHECKING:
    from videogn.bench.step_cases import StepCase

#: Options of which every combination is a row, in the order of the rows.
SWEPT = (
    *("arch", "norm", "clips", "crop", "batch_size", "precision", "memory_mode", "memory_format", "compile"),
    "group_norm",
)


@dataclass(frozen=True)
class Options:
    """Measure a training step and inference of networks side by side: time, memory, part of the roofline.

    Every combination of the options is a row. All are warmed up first, and then take turns, so that a slow minute of
    the machine lengthens all of them alike. One that cannot run is a row with its reason.

    Attributes:
        arch: Architectures, by name or dotted path.
        norm: Norms with their default options, by name or dotted path.
        clips (LENGTHxINTERVAL): Clips, for instance 32x2 64x1; the interval does not count.
        crop: Sides of the square crop, in pixels.
        batch_size: Batch sizes, in clips.
        precision (FORMAT): Number formats: 32, bf16-mixed, 16-mixed, bf16-true or 64-true.
        memory_mode: Memory modes.
        memory_format (LAYOUT): Layouts of weights and clips in memory: contiguous, channels_last or auto,
            as for --model.memory_format of `videogn fit`.
        compile (HOW): Whether networks are compiled, and how: false, true, whole, regional or graphs, as for
            --model.compile; true is whole.
        group_norm: What computes GroupNorm: pytorch or triton, as for --model.group_norm.
        device: auto, cpu or cuda; auto takes a GPU if there is one.
        num_classes: Number of classes.
        arch_options: Options of the architectures as for fit, for instance {pool_window: [null, 4, 4]}.
        rounds: Number of times that each row has its turn; medians and quartiles are over these.
        minutes: Time after which no round begins any more, but the first always does: a slow machine takes fewer.
        threads: Number of threads of torch on a CPU. By default torch's own. With one, seconds are those of the
            processor, which other programs do not lengthen; otherwise those of the clock.
        baseline (KEY=VALUE): What ratios are taken to: each row is compared with the one that has these values of the
            options above and otherwise its own, for instance norm=bn. By default all with the first row.
        json: Print the rows as JSON, in seconds and bytes.
    """

    arch: tuple[str, ...] = (ARCH,)
    norm: tuple[str, ...] = ("bn", "gn")
    clips: tuple[str, ...] = ("32x2",)
    crop: tuple[int, ...] = (224,)
    batch_size: tuple[int, ...] = (8,)
    precision: tuple[PrecisionName, ...] = ("32",)
    memory_mode: tuple[MemoryModeName, ...] = ("plain",)
    memory_format: tuple[MemoryFormatName, ...] = ("contiguous",)
    compile: tuple[Literal["false", "true", "whole", "regional", "graphs"], ...] = ("false",)
    group_norm: tuple[GroupNormName, ...] = ("pytorch",)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_classes: int = NUM_CLASSES
    arch_options: dict[str, Any] = field(default_factory=dict)
    rounds: int = 10
    minutes: float = 8.0
    threads: int | None = None
    baseline: tuple[str, ...] = ()
    json: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "crop", "num_classes", "rounds", "minutes", "threads"):
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else [value]:
                if number is not None:
                    require_positive(f"--{name.replace('_', '-')}", number)
        if "memory_mode" in self.arch_options:
            raise ValueError("of --arch-options, memory_mode is --memory-mode here")


def run(options: Options) -> int:
    """Measure every combination, and print the table or the rows.

    Args:
        options: Options of the command.

    Returns:
        0, also if a combination cannot run: its row says why.

    Raises:
        ValueError: An option is wrong.
    """
    for clips in options.clips:
        length_and_interval(clips)
    combinations = list(dict.fromkeys(itertools.product(*(getattr(options, name) for name in SWEPT))))
    baselines = _baselines(options.baseline, combinations)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # memory is measured by PyTorch's profiler, which says so
    import torch

    from videogn.bench.step_rows import measure_steps
    from videogn.bench.throughput import threads
    from videogn.cli.progress import bars
    from videogn.cli.step_table import print_table
    from videogn.extensions import find
    from videogn.models import MODELS
    from videogn.norm import make_norm
    from videogn.system.devices import device_named

    for arch in options.arch:
        find("arch", arch, MODELS, "videogn.models")
    for norm in options.norm:
        make_norm(norm)
    device = device_named(options.device)
    torch.set_float32_matmul_precision("high")  # as in training
    cases = [_case(options, dict(zip(SWEPT, values, strict=True))) for values in combinations]
    with threads(options.threads or torch.get_num_threads()), bars() as progress:
        *_, found = measure_steps(
            cases,
            device=device,
            rounds=options.rounds,
            baselines=baselines,
            seconds=60 * options.minutes,
            least_rounds=1,
            progress=progress,
        )
    intervals = [length_and_interval(values[SWEPT.index("clips")])[1] for values in combinations]
    rows = [{**row, "interval": interval} for row, interval in zip(found, intervals, strict=True)]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows, options.baseline)
    return 0


def _case(options: Options, values: dict[str, Any]) -> StepCase:
    from videogn.bench.step_cases import StepCase
    from videogn.memory import StepSetting

    setting = StepSetting(
        *(values["arch"], values["norm"], length_and_interval(values["clips"])[0], values["crop"]),
        *(values["precision"], values["memory_mode"], options.num_classes, options.arch_options),
    )
    compiled: Any = {"false": False, "true": True}.get(values["compile"], values["compile"])
    return StepCase(setting, values["batch_size"], values["memory_format"], compiled, values["group_norm"])


def _baselines(words: Sequence[str], combinations: Sequence[Sequence[Any]]) -> list[int]:
    """For each combination the index of that which it is compared with."""
    if not words:
        return [0] * len(combinations)
    wanted = {key.replace("-", "_"): value for key, _, value in (word.partition("=") for word in words)}
    for key, value in wanted.items():
        check_choice("--baseline", key, SWEPT)
        known = dict.fromkeys(str(values[SWEPT.index(key)]) for values in combinations)
        check_choice(f"--baseline {key}", value, known)
    places = {tuple(map(str, values)): place for place, values in enumerate(combinations)}
    return [
        places[tuple(wanted.get(key, str(value)) for key, value in zip(SWEPT, values, strict=True))]
        for values in combinations
    ]
