"""Videos on which the decoder that was asked for is not exact: PyAV reads them, and that is counted and said once."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import av
import pytest
from training import evaluation_arguments, fit_arguments

from videogn.axes import Batch, Sample
from videogn.data.fallbacks import Fallbacks
from videogn.training import fallback_notice
from videogn.training.fallback_notice import FallbackNotice


def test_the_line():
    counts = Fallbacks("decord")
    for number in range(1200):
        counts.add(f"{number}.mp4", None)
    assert counts.message() is None
    counts.add("a b.ts", "container mpegts")
    other = Fallbacks("decord")
    other.add("c.gif", "container gif")
    line = counts.join([other]).message()
    assert line == "PyAV decodes 2 of 1,202 videos, on which decord is not exact, for instance a b.ts: container mpegts"


def _batch(*paths, failed=()):
    samples = [Sample(0, path, 0, fallback="container mpegts" if path.endswith("ts") else None) for path in paths]
    return Batch(samples, [Sample(0, path, 0, error="empty") for path in failed])


@pytest.mark.parametrize("decoder", ["decord", "pyav", "auto"])
def test_it_is_said_once_for_all_processes(decoder, caplog, monkeypatch):
    other = Fallbacks(decoder)
    other.add("other.ts", "container mpegts")
    exchanges = []
    monkeypatch.setattr(fallback_notice, "of_all_processes", lambda own: exchanges.append(own) or [own, other])
    notice = FallbackNotice()
    trainer = SimpleNamespace(datamodule=SimpleNamespace(decoder=decoder), is_global_zero=True, sanity_checking=False)
    notice.setup(trainer, None, "fit")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            notice.on_train_epoch_start(trainer, None)
            notice.on_train_batch_start(trainer, None, _batch("a.mp4", "b.ts", failed=("c.ts",)), 0)
            notice.on_validation_epoch_start(trainer, None)
            notice.on_validation_batch_start(trainer, None, _batch("v.mp4"), 0)
            notice.on_validation_epoch_end(trainer, None)
            notice.on_train_epoch_end(trainer, None)
    said = [
        f"PyAV decodes {counts} videos, on which decord is not exact, for instance {path}: container mpegts"
        for counts, path in (("1 of 2", "other.ts"), ("2 of 3", "b.ts"))
    ]
    assert caplog.messages == (said if decoder == "decord" else [])
    assert len(exchanges) == (2 if decoder == "decord" else 0)


def test_an_epoch_without_a_start(caplog):
    """A training run that is resumed in the middle of an epoch."""
    notice = FallbackNotice()
    trainer = SimpleNamespace(datamodule=SimpleNamespace(decoder="decord"), is_global_zero=True)
    notice.setup(trainer, None, "fit")
    notice.on_train_batch_start(trainer, None, _batch("b.ts"), 7)
    notice.on_train_epoch_end(trainer, None)
    assert [message.split(",")[0] for message in caplog.messages] == ["PyAV decodes 1 of 1 video"]


def test_from_the_loader_to_the_results(videogn, motion, tmp_path, caplog):
    """Two training videos and a validation video as MPEG-TS, where decord is shifted; decoded in guarded workers."""
    pytest.importorskip("decord")
    for split, count in (("train", 2), ("val", 1)):
        for number, video in enumerate(sorted((motion / split).rglob("*.mp4"))):
            target = tmp_path / "data" / video.relative_to(motion)
            target.parent.mkdir(parents=True, exist_ok=True)
            if number >= count:
                target.symlink_to(video)
                continue
            with av.open(str(video)) as reader, av.open(str(target.with_suffix(".ts")), "w") as writer:
                stream = writer.add_stream_from_template(reader.streams.video[0])
                for packet in reader.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        writer.mux(packet)
    arguments = [a for a in fit_arguments(tmp_path / "data", tmp_path / "out") if "limit_train" not in a]
    more = ("--data.decoder=decord", "--data.num_workers=1", "--data.batch_size=8")
    with caplog.at_level(logging.WARNING):
        assert videogn(*arguments, *more) == 0
    said = [message for message in caplog.messages if message.startswith("PyAV decodes")]
    assert [message.split(",")[0] for message in said] == ["PyAV decodes 1 of 16 videos", "PyAV decodes 2 of 32 videos"]
    assert all(message.endswith(".ts: container mpegts") for message in said)
    last = tmp_path / "out" / "checkpoints" / "last.ckpt"
    assert videogn(*evaluation_arguments("test", tmp_path / "data", tmp_path / "test", last, *more)) == 0
    results = json.loads((tmp_path / "test" / "results.json").read_text())
    assert results["decoder"] == "decord"
    assert results["counts"]["failed"] == 0
    (fallen,) = results["decoded_by_pyav_instead"]
    assert fallen["path"].endswith(".ts")
    assert fallen["reason"] == "container mpegts"
