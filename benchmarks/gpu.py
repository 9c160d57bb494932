"""What is to be known of a GPU, the most important first, as far as ten minutes go; in one run.

    python benchmarks/gpu.py --out gpu.json

Training steps and inference of `i3d_r50` with BN and GN: layouts, GroupNorm's kernel, number formats, compiled or not,
memory modes; how far decoding overlaps with the network in prediction; whether all forms train alike; and `videogn fit`
with its loader. What matters most comes first, and nothing is begun that does not fit into --minutes any more. The file
is written anew after every network that is warmed up and after every round, so that a run that is cut off loses
nothing. It can be tried on a CPU:

    python benchmarks/gpu.py --out try.json --device cpu --arch i3d_tiny --clips 8 --crop 32 --batch-size 2 --minutes 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from same_losses import cases_for, compare_losses

from videogn.bench.predicting import measure_prediction
from videogn.bench.step_cases import StepCase
from videogn.bench.step_rows import measure_steps
from videogn.bench.turns import reason_of
from videogn.bench.workload import find_records
from videogn.choices import CompileName, GroupNormName, MemoryFormatName, PrecisionName
from videogn.data.synthetic.motion import MOTIONS, draw_video
from videogn.inference import Predictor
from videogn.memory import PRECISIONS, StepSetting, device_memory, plan_steps
from videogn.models.recompute import MEMORY_MODES
from videogn.system.cores import available_cores
from videogn.system.files import replacing
from videogn.training.written_network import task_for, write_network
from videogn.video.encode import write_video

BF16: PrecisionName = "bf16-mixed"
LAST: MemoryFormatName = "channels_last"
FIRST: MemoryFormatName = "contiguous"
NORMS = ("bn", "gn")


class Form(NamedTuple):
    """What is measured of a network."""

    norm: str
    precision: PrecisionName
    layout: MemoryFormatName
    compile: bool | CompileName = False
    mode: str = "plain"
    group_norm: GroupNormName = "pytorch"


#: Name of a group -> its cases, the baseline first. The cases of a group take turns; only their ratios are of one
#: moment. The most important group comes first.
GROUPS: dict[str, list[Form]] = {
    "bf16-mixed": [Form(norm, BF16, layout) for layout in (LAST, FIRST) for norm in NORMS],
    "GroupNorm's kernel": [
        Form("bn", BF16, LAST),
        Form("gn", BF16, LAST),
        Form("gn", BF16, LAST, group_norm="triton"),
    ],
    "bf16-mixed, compiled": [Form(norm, BF16, LAST, compiled) for compiled in (False, True) for norm in NORMS],
    "float32": [Form(norm, "32", layout) for layout in (FIRST, LAST) for norm in NORMS],
    "memory modes": [Form("gn", BF16, LAST, mode=mode) for mode in MEMORY_MODES],
    "other number formats": [Form(norm, name, LAST) for name in PRECISIONS[1:4] for norm in NORMS],
    "regional, and CUDA graphs": [
        Form("gn", BF16, LAST),
        Form("gn", BF16, LAST, "regional"),
        Form("gn", BF16, LAST, "graphs"),
    ],
    "bf16-mixed, contiguous, compiled": [
        Form("bn", BF16, FIRST),
        *(Form(norm, BF16, FIRST, True) for norm in NORMS),
    ],
    "float32, compiled": [
        Form("bn", "32", FIRST),
        *(Form(norm, "32", layout, True) for layout in (FIRST, LAST) for norm in NORMS),
    ],
}
#: Seconds that a group needs to be worth beginning.
LEAST_SECONDS = 20
#: Number of steps whose losses are compared.
STEPS = 50
#: Lines of `videogn fit` that are kept: they say whether the loader keeps up.
KEPT = ("planned memory", "trained", "waiting")


class Findings:
    """What is known so far, in a file.

    Args:
        path: File to write.
        minutes: Time for the run.
        facts: What the file says of the machine.
    """

    def __init__(self, path: Path, minutes: float, facts: dict[str, Any]) -> None:
        self._path, self._started, self._limit = path, time.monotonic(), 60 * minutes
        self._content: dict[str, Any] = {**facts, "left_out": [], "rows": []}

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._limit - (time.monotonic() - self._started)

    def leave_out(self, name: str) -> None:
        """Say that there was no time for something."""
        self._write(left_out=[*self._content["left_out"], name])

    def add_group(self, name: str, cases: Sequence[StepCase], rounds: int, device: torch.device) -> None:
        """Measure the cases of a group."""
        before = self._content["rows"]
        for rows in measure_steps(cases, device=device, rounds=rounds, seconds=self.left):
            self._write(rows=[*before, *({"group": name, **row} for row in rows)])

    def add(self, name: str, found: Any) -> None:
        """Keep what something else found."""
        self._write(**{name: found})

    def _write(self, **news: Any) -> None:
        self._content.update(news, elapsed_seconds=time.monotonic() - self._started)
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps(self._content, indent=2))


def main() -> None:
    """Measure and write."""
    options = _parser().parse_args()
    torch.set_float32_matmul_precision("high")  # as in training
    device = torch.device(options.device)
    facts = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    facts |= {"device": device.type, "cores": available_cores()}
    if device.type == "cuda":
        facts["machine"] = torch.cuda.get_device_name()
    batch_size = _batch_size(options, device)
    findings = Findings(options.out, options.minutes, {**facts, "options": {**vars(options), "out": str(options.out)}})
    for name in options.groups or _everything(options.videos):
        if findings.left < LEAST_SECONDS:
            findings.leave_out(name)
        elif name in GROUPS:
            cases = [
                StepCase(_setting(options, form), batch_size, form.layout, form.compile, form.group_norm)
                for form in GROUPS[name]
            ]
            findings.add_group(name, cases, options.rounds, device)
        else:
            try:
                for found in OTHERS[name](options, device, findings.left):
                    findings.add(name, found)
            except Exception as error:  # whatever it is, the rest is to be measured
                findings.add(name, {"error": reason_of(error)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--minutes", type=float, default=9.0, help="time for everything")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--arch", default="i3d_r50")
    parser.add_argument("--clips", type=int, default=32, help="clip length, frames")
    parser.add_argument("--crop", type=int, default=224, help="pixels")
    parser.add_argument("--batch-size", type=int, default=8, help="clips, or as many as fit")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--groups", nargs="+", choices=_everything(1), metavar="NAME", help="default: everything")
    parser.add_argument("--videos", type=int, default=16, help="videos to predict and train on; 0: neither")
    parser.add_argument("--fit-epochs", type=int, default=20, help="epochs of those videos that `videogn fit` trains")
    return parser


def _everything(videos: int) -> list[str]:
    """Names of all that is measured, in order."""
    groups, others = list(GROUPS), [name for name in OTHERS if videos or name == "losses"]
    return [*groups[:2], *others, *groups[2:]]


def _setting(options: argparse.Namespace, form: Form) -> StepSetting:
    return StepSetting(options.arch, form.norm, options.clips, options.crop, form.precision, form.mode)


def _batch_size(options: argparse.Namespace, device: torch.device) -> int:
    """The batch that was asked for, or the largest one that fits in float32 with half of the memory for the others."""
    limit = device_memory(device)
    (plan,) = plan_steps([StepSetting(options.arch, "gn", options.clips, options.crop)], device=device.type)
    return options.batch_size if limit is None else max(min(options.batch_size, plan.largest_batch(limit // 2)), 1)


def _view(options: argparse.Namespace) -> dict[str, Any]:
    """Clips as in the groups, from videos of the usual size."""
    side = 2 * round(options.crop * 8 / 7 / 2)
    return {"clip_length": options.clips, "interval": 2, "crop_size": options.crop, "short_side": side}


def _measure_prediction(options: argparse.Namespace, device: torch.device, seconds: float) -> Iterator[dict[str, Any]]:
    """Videos per second of decoding, of the network, and of both at once."""
    view = {**_view(options), "crops": "center"}
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder) / "network.ckpt"
        write_network(
            task_for({"arch": options.arch, "norm": "gn", "class_names": ["a", "b"], **view}), network, origin={}
        )
        _write_videos(Path(folder), options)
        predictor = Predictor(str(network), device=str(device), precision="auto")
        cores = available_cores()
        report = measure_prediction(
            predictor,
            find_records([folder]),
            workers=sorted({0, max(cores // 2, 1), min(cores, 16)}),
            repeats=2,
            batch_clips=None,
            progress=lambda name, done, total: None,
        )
    yield {"precision": predictor.precision, "clip": view, **asdict(report)}


def _write_videos(folder: Path, options: argparse.Namespace) -> None:
    """Write videos of all motions, each in a folder of its motion."""
    for number in range(options.videos):
        motion = list(MOTIONS)[number % len(MOTIONS)]
        rng = np.random.default_rng([0, number])
        side = _view(options)["short_side"]
        frames = draw_video(MOTIONS[motion], size=side, num_frames=4 * options.clips, rng=rng)
        (folder / motion).mkdir(exist_ok=True)
        write_video(folder / motion / f"{number}.mp4", frames)


def _compare_losses(
    options: argparse.Namespace, device: torch.device, seconds: float
) -> Iterator[list[dict[str, Any]]]:
    """Losses of small networks in every form beside those of float64; what is known after each."""
    end, rows = time.monotonic() + seconds, []
    for row in compare_losses(cases_for(device), device, STEPS):
        rows.append(row)
        yield rows
        if time.monotonic() > end:
            return


def _measure_fit(options: argparse.Namespace, device: torch.device, seconds: float) -> Iterator[dict[str, Any]]:
    """Clips per second of `videogn fit` in bf16, with decoding and augmentation in worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        for split in ("train", "val"):
            (data / split).mkdir(parents=True)
            _write_videos(data / split, options)
        model = {"arch": options.arch, "norm": "gn", **_view(options)}
        command = [*("fit", "--data.root", str(data), "--data.batch_size", str(options.batch_size))]
        command += [word for name, value in model.items() for word in (f"--model.{name}", str(value))]
        command += ["--trainer.precision", BF16, "--trainer.accelerator", device.type.replace("cuda", "gpu")]
        command += ["--data.num_workers", str(max(available_cores() - 1, 1)), "--trainer.default_root_dir", str(out)]
        command += ["--trainer.max_epochs", str(options.fit_epochs), "--trainer.limit_val_batches", "0"]
        done = subprocess.run(
            [sys.executable, "-m", "videogn", *command], capture_output=True, text=True, timeout=seconds, check=False
        )
        lines = done.stderr.splitlines()
        found: dict[str, Any] = {"command": command, "said": [line for line in lines if line.startswith(KEPT)]}
        if done.returncode:
            yield {**found, "error": "\n".join(lines[-5:])}
            return
        (cost,) = out.rglob("cost.json")
        yield {**found, "cost": json.loads(cost.read_text()), "error": None}


#: Name of what is no group of steps -> its function, of the options, the device and the seconds left; it yields what is
#: known so far.
OTHERS: dict[str, Callable[[argparse.Namespace, torch.device, float], Iterator[Any]]] = {
    "prediction": _measure_prediction,
    "fit": _measure_fit,
    "losses": _compare_losses,
}


if __name__ == "__main__":
    main()
