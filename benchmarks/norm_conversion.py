"""What calibration is worth when BatchNorm is turned into GroupNorm: `docs/results/norm-conversion.md`.

    python benchmarks/norm_conversion.py --out norm-conversion

For every seed, on the motion set: train BN; convert it to GN with gamma and beta as they were, by least squares and by
moments; fine-tune from each for a few epochs, and train GN from scratch for as many. What is there is not made again,
so that the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from videogn.bench.workload import find_records, spread
from videogn.choices import EvaluationViews, MotionSettings, chosen
from videogn.cli.main import main as videogn
from videogn.data.synthetic.writing import write_motion_dataset
from videogn.evaluation import clip_probabilities
from videogn.inference.agreement import agreement
from videogn.inference.loading import load_network
from videogn.inference.unlabelled_clips import UnlabelledClips, read_clips
from videogn.models.norm_calibration import calibrate_norms, layer_distances, take_over
from videogn.system.files import write_json
from videogn.training.written_network import task_for, write_network

#: Clips that gamma and beta are set on, and those that the distances of the norms are measured on.
CLIPS = 64
#: Clips in a forward pass.
BATCH = 8
#: Epochs of fine-tuning.
FEW = 2
STARTS = ("converted", "least_squares", "moments")


def fit(folder: Path, data: Path, seed: int, *options: object) -> Path:
    """Train on the motion set as configs/motion.yaml says, unless that is done.

    Returns:
        The checkpoint.
    """
    checkpoint, done = folder / "last.ckpt", folder / "done"
    if not done.exists():
        words = ["fit", "--config", "motion", "--data.root", data, "--seed_everything", seed, *options]
        words += ["--checkpoint.dirpath", folder, "--trainer.logger", "false", "--trainer.limit_val_batches", 0]
        with contextlib.suppress(SystemExit):  # every command ends so; without a checkpoint the next line fails
            videogn([str(word) for word in [*words, "--trainer.enable_progress_bar", "false"]])
        checkpoint.stat()
        done.touch()
    return checkpoint


def convert(trained: Path, name: str, out: Path, clips: UnlabelledClips) -> None:
    """Turn BN into GN in one of three ways, and write the start."""
    reference, about = load_network(trained)
    task = task_for(about, norm="gn")
    take_over(task.net, reference)
    if name != "converted":
        calibrate_norms(task.net, reference, clips, match=name)  # type: ignore[arg-type]
    write_network(task, out, origin={"converted_from": str(trained)})


def top1(network: Path, clips: UnlabelledClips, labels: Sequence[int]) -> float:
    """Share of the clips that a network puts into their classes."""
    net, _ = load_network(network)
    with torch.inference_mode():
        classes = torch.cat([clip_probabilities(net(batch)).argmax(1) for batch in clips])
    return float((classes == torch.tensor(labels)).double().mean())


def compared(start: Path, trained: Path, clips: UnlabelledClips) -> dict[str, Any]:
    """How far a converted network agrees with the BN network, and how far its norms are from that one's."""
    net, reference = load_network(start)[0], load_network(trained)[0]
    some = list(itertools.islice(clips, CLIPS // BATCH))
    return {**asdict(agreement(net, reference, clips)), "distances": layer_distances(net, reference, some)}


def results_of(seed: int, out: Path, data: Path) -> dict[str, Any]:
    """Do for a seed what is missing, and collect the numbers: name of a network -> what was measured."""
    trained = fit(out / f"bn-{seed}", data, seed, "--model.norm", "bn")
    about = load_network(trained)[1]
    networks = {"bn": trained}
    clips: UnlabelledClips | None = None
    for name in STARTS:
        networks[name] = out / f"{name}-{seed}.ckpt"
        if not networks[name].exists():
            clips = clips or clips_of(data / "train", about, CLIPS)[0]
            convert(trained, name, networks[name], clips)
    few = ("--model.norm", "gn", "--trainer.max_epochs", FEW)
    for name in STARTS:
        folder = out / f"{name}-tuned-{seed}"
        networks[f"{name}-tuned"] = fit(folder, data, seed, *few, "--model.init_from", networks[name])
    networks["scratch"] = fit(out / f"scratch-{seed}", data, seed, *few)
    held_out, labels = clips_of(data / "val", about, None)
    found = {name: {"top1": top1(network, held_out, labels)} for name, network in networks.items()}
    for name in STARTS:
        found[name] |= compared(networks[name], trained, held_out)
    return found


def clips_of(folder: Path, about: dict[str, Any], most: int | None) -> tuple[UnlabelledClips, list[int]]:
    """The clip in the middle of each video, or of `most` of them evenly spread, and the class numbers."""
    records = find_records([str(folder)])
    records = spread(records, most or len(records))
    views = chosen(EvaluationViews, {**about, "num_clips": 1, "protocol": "mmaction2", "crops": "center"})
    found, failed = read_clips(records, views)
    if failed:
        raise ValueError(f"{failed[0].path}: {failed[0].error}")
    labels = [about["class_names"].index(Path(record.path).parent.name) for record in records]
    clips = [clip for video in found for clip in video]
    cpu = torch.device("cpu")
    return UnlabelledClips(clips, about["mean"], about["std"], batch_size=BATCH, device=cpu), labels


def described(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation over the seeds."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def table(results: Sequence[dict[str, Any]]) -> str:
    """The table of the page, in Markdown."""
    lines = [
        "| GN | norms' distance | same class as BN % | total variation | KL | top-1 % | fine-tuned: top-1 % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]

    def cell(name: str, key: str, scale: float = 1, digits: int = 3) -> str:
        return described([scale * result[name][key] for result in results], digits)

    for name in STARTS:
        apart = described([statistics.mean(result[name]["distances"].values()) for result in results], 2)
        agreed = (cell(name, "top1_agreement", 100, 1), cell(name, "total_variation"), cell(name, "kl"))
        accuracies = (cell(name, "top1", 100, 1), cell(f"{name}-tuned", "top1", 100, 1))
        lines.append(f"| {' | '.join((name, apart, *agreed, *accuracies))} |")
    lines += [f"| from scratch | | | | | | {cell('scratch', 'top1', 100, 1)} |", ""]
    return "\n".join([*lines, f"BN: {cell('bn', 'top1', 100, 1)}"])


def main() -> None:
    """Run what is missing, write results.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Folder of the data set, the runs and the results.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = options.out / "motion"
    if not data.exists():
        write_motion_dataset(data, MotionSettings(videos_per_class=120, val_videos_per_class=40), workers=1)
    results = {seed: results_of(seed, options.out, data) for seed in options.seeds}
    write_json(options.out / "results.json", results)
    print(table(list(results.values())))  # noqa: T201


if __name__ == "__main__":
    main()
