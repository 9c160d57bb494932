"""Memory and processor time of a long video: `python benchmarks/long_video.py [HOURS] [STRIDE] [ARCH]`.

Makes a file of 640 x 360 at 30 frames per second by repeating a minute of encoded moving squares, and a checkpoint of
an untrained network; then `videogn predict --timeline` scores it, with the probabilities of all windows written. Prints
the peak of the command's resident memory. Its decoder, a process of its own, takes some 60 MB beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import torch

from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video

FPS, HEIGHT, WIDTH = 30, 360, 640


def write_minute(path: Path) -> None:
    """Coloured squares that move."""
    squares = np.random.default_rng(0).integers(0, 255, (HEIGHT // 40, WIDTH // 40 * 2, 3), dtype=np.uint8)
    squares = squares.repeat(40, axis=0).repeat(40, axis=1)
    frames = np.stack([squares[:, frame : frame + WIDTH] for frame in range(60)])
    minute = np.broadcast_to(frames, (FPS, *frames.shape)).reshape(-1, HEIGHT, WIDTH, 3)
    write_video(path, minute, fps=FPS, crf=30, gop=60, options={"preset": "ultrafast"})


def repeat(minute: Path, path: Path, times: int) -> None:
    """Write the packets of a file many times, one after the other."""
    with av.open(str(minute)) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        length = sum(packet.duration for packet in packets)
        for number in range(times):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.stream, again.time_base = copy, packet.time_base
                again.pts, again.dts = packet.pts + number * length, packet.dts + number * length
                again.duration, again.is_keyframe = packet.duration, packet.is_keyframe
                out.mux(again)


def main() -> None:
    """Make the file, score it, and print what that took."""
    hours, stride, arch = (*sys.argv[1:], *("2", "1", "i3d_tiny")[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_minute(folder / "minute.mp4")
        repeat(folder / "minute.mp4", folder / "long.mp4", round(float(hours) * 60))
        names = [f"class {number}" for number in range(400)]
        task = VideoClassifier(arch, class_names=names)
        checkpoint = {"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}
        torch.save(checkpoint, folder / "network.ckpt")
        command = [sys.executable, "-P", "-m", "videogn", "predict", "long.mp4", "--checkpoint", "network.ckpt"]
        command += ["--timeline", stride, "--output", "segments.csv", "--windows", "windows"]
        process = subprocess.Popen(command, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
        megabytes = sum(file.stat().st_size for file in (folder / "windows").iterdir()) / 1e6
    sys.stdout.write(
        f"{hours} h, a clip of {arch} every {stride} s: exit status {os.waitstatus_to_exitcode(status)}, "
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time, peak {used.ru_maxrss / 1024:.0f} MB, "
        f"windows {megabytes:.1f} MB\n"
    )


if __name__ == "__main__":
    main()
