"""Clips of videos without labels: the views that were asked for, normalised, the same at every iteration."""

from __future__ import annotations

import numpy as np
import torch

from videogn.bench.workload import find_records
from videogn.choices import EvaluationViews
from videogn.inference.unlabelled_clips import UnlabelledClips, read_clips
from videogn.video.decoders.decode import open_video


def test_the_pixels_of_the_files(motion, tmp_path):
    (tmp_path / "broken.mp4").touch()
    videos = [*sorted(map(str, motion.glob("val/*/*.mp4")))[:3], str(tmp_path / "broken.mp4")]
    views = EvaluationViews(
        clip_length=3, interval=4, crop_size=32, short_side=32, num_clips=2, protocol="endpoint", crops="center"
    )
    steps = []
    found, failed = read_clips(find_records(videos), views, time_limit=0, progress=lambda *step: steps.append(step))
    assert [sample.path for sample in failed] == [videos[-1]]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [len(clips) for clips in found] == [2, 2, 2]
    with open_video(videos[1], "pyav") as video:
        pixels = torch.from_numpy(video.pixels(np.array([20, 24, 28])).copy())
    assert torch.equal(found[1][1], pixels.permute(3, 0, 1, 2))
    clips = UnlabelledClips(
        [clip for video in found for clip in video],
        (0.5, 0.4, 0.3),
        (0.1, 0.2, 0.4),
        batch_size=4,
        device=torch.device("cpu"),
    )
    assert len(clips) == 6
    for _ in range(2):
        batches = list(clips)
        assert [tuple(batch.shape) for batch in batches] == [(4, 3, 3, 32, 32), (2, 3, 3, 32, 32)]
        wanted = (found[1][1][2].double() / 255 - 0.3) / 0.4
        torch.testing.assert_close(batches[0][3, 2].double(), wanted, rtol=0, atol=1e-5)
