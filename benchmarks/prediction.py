"""Ten clips of a video through I3D-50, 8 x 8: ours against the straightforward program with pytorchvideo.

    python benchmarks/prediction.py [FILE...] [--repeats 3] [--json]

Both have random weights of the same shapes, and show the network ten clips, 8 frames at interval 8, the central square
of 256. pytorchvideo's program is that of its hub: `EncodedVideo.get_clip` once a clip, its transforms, its `i3d_r50`.
One process and one thread for torch and for every decoder; processor time, all ways in turn within a repeat, medians.
Compare ratios, not seconds: ours is to take at most 1/1.9 of theirs where the processor computes in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import textures
import torch
from rich.console import Console
from rich.table import Table

from videogn.choices import PredictPrecisionName
from videogn.inference import Predictor
from videogn.models import make_model

CLIPS, LENGTH, INTERVAL, SIDE, CLASSES = 10, 8, 8, 256, 400
#: Least ratio of processor times, theirs to ours, that is aimed at.
TARGET = 1.9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="Videos to measure. By default a generated one.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = options.files or [textures.write_source(Path(folder) / "textures.mp4", height=256, width=340)]
        for file in files:
            ways: dict[str, Callable[[], object]] = {"pytorchvideo": pytorchvideo_program(file)}
            for precision in ("32", "bf16"):
                ways[f"videogn, {precision}"] = our_program(file, precision, Path(folder))
            seconds = processor_seconds(ways, options.repeats)
            theirs = seconds["pytorchvideo"]
            rows += [{"file": file.name, "way": way, "seconds": s, "ratio": theirs / s} for way, s in seconds.items()]
    if options.json:
        print(json.dumps(rows, indent=2))  # noqa: T201
        return
    table = Table("file", "way", "s a video", "ratio", title=f"to reach with bf16: {TARGET}", title_justify="left")
    for row in rows:
        table.add_row(row["file"], row["way"], f"{row['seconds']:.2f}", f"{row['ratio']:.2f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def processor_seconds(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of processor time of each, run in turn; the first turn counts only if it is the only one."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + (repeats > 1)):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if turn or repeats == 1:
                seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def our_program(file: Path, precision: PredictPrecisionName, folder: Path) -> Callable[[], object]:
    """`Predictor` with a checkpoint of an untrained network."""
    source = folder / "i3d_r50_8x8.ckpt"
    if not source.exists():
        about: dict[str, Any] = {"arch": "i3d_r50_8x8", "norm": "bn", "class_names": list(map(str, range(CLASSES)))}
        about |= {"clip_length": LENGTH, "interval": INTERVAL, "crop_size": SIDE, "short_side": SIDE}
        about |= {"mean": (0.45,) * 3, "std": (0.225,) * 3, "crops": "center", "clips_per_forward": CLIPS}
        net = make_model(about["arch"], CLASSES, about["norm"])
        weights = {f"net.{name}": value for name, value in net.state_dict().items()}
        torch.save({"hyper_parameters": about, "state_dict": weights}, source)
    predictor = Predictor(source, num_clips=CLIPS, protocol="endpoint", device="cpu", precision=precision, time_limit=0)

    def program() -> object:
        (prediction,) = predictor.predict(file)
        if prediction.error is not None:
            raise SystemExit(f"{file}: {prediction.error}")
        return prediction

    return program


def pytorchvideo_program(file: Path) -> Callable[[], object]:
    """What pytorchvideo's hub page does, for ten clips in place of one."""
    from torchvision.transforms import _functional_tensor

    # pytorchvideo imports it by the name that torchvision gave it before 0.17.
    sys.modules.setdefault("torchvision.transforms.functional_tensor", _functional_tensor)
    from pytorchvideo.data.encoded_video import EncodedVideo
    from pytorchvideo.models.hub import i3d_r50
    from pytorchvideo.transforms import Normalize, ShortSideScale, UniformTemporalSubsample
    from torchvision.transforms import CenterCrop, Compose, Lambda

    net = i3d_r50(pretrained=False).eval()
    transform = Compose(
        [
            UniformTemporalSubsample(LENGTH),
            Lambda(lambda frames: frames / 255.0),
            Normalize((0.45,) * 3, (0.225,) * 3),
            ShortSideScale(SIDE),
            Lambda(lambda frames: CenterCrop(SIDE)(frames)),
        ]
    )

    @torch.inference_mode()
    def program() -> object:
        video = EncodedVideo.from_path(str(file), decode_audio=False)
        video._container.streams.video[0].codec_context.thread_count = 1
        rate = float(video._container.streams.video[0].average_rate)
        seconds = LENGTH * INTERVAL / rate
        last = max(float(video.duration) - seconds, 0.0)
        scores = []
        for number in range(CLIPS):
            start = last * number / (CLIPS - 1)
            clip = transform(video.get_clip(start, start + seconds)["video"])
            scores.append(net(clip[None]).softmax(dim=1))
        video.close()
        return torch.cat(scores).mean(dim=0).topk(5)

    return program


if __name__ == "__main__":
    main()
