"""videogn convert: what it writes is taken by predict, test and fit; its report; refusals."""

from __future__ import annotations

import json

import pytest
import torch
from training import evaluation_arguments, fit_arguments

from videogn.inference import load_network
from videogn.training.written_network import task_for, write_network

INPUT = {"clip_length": 4, "interval": 2, "crop_size": 32, "short_side": 32}


@pytest.fixture
def source(motion, tmp_path):
    """A BatchNorm network of the motion set's classes whose layers pass something on."""
    classes = sorted(folder.name for folder in (motion / "train").iterdir())
    about = {"arch": "i3d_tiny", "norm": "bn", "arch_options": {"width": 8}, "class_names": classes, **INPUT}
    task = task_for(about)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in task.net.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.rand_like(parameter))
        task.net.train()(torch.randn(8, 3, 4, 32, 32))
    write_network(task.eval(), tmp_path / "bn.ckpt", origin={})
    return tmp_path / "bn.ckpt"


def _convert(videogn, source, motion, *more):
    out = source.with_name("gn.ckpt")
    status = videogn("convert", source, "--data", motion / "train", "--out", out, "--clips=6", "--device=cpu", *more)
    return out, status


def test_the_report_and_the_checkpoint(videogn, source, motion, capsys):
    out, status = _convert(videogn, source, motion, "--json", "--norm-options={groups: 2}")
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["arch"], found["from"], found["norm"], found["clips"]) == ("i3d_tiny", "bn", "gn", 6)
    before, after = found["converted"], found["calibrated"]
    assert list(before["distances"]) == list(after["distances"])
    assert len(after["distances"]) == 17
    assert sum(after["distances"].values()) < sum(before["distances"].values())
    for stage in (before, after):
        assert stage["agreement"]["clips"] == 6
        assert 0 <= stage["agreement"]["top1_agreement"] <= 1
    assert after["agreement"]["kl"] < before["agreement"]["kl"]
    network, about = load_network(out)
    old, was = load_network(source)
    assert (about["norm"], about["norm_options"]) == ("gn", {"groups": 2})
    assert {**about, "norm": "bn", "norm_options": None} == was
    assert network.blocks[0].norm.num_groups == 2
    assert torch.equal(network.blocks[0].conv.weight, old.blocks[0].conv.weight)


def test_predict_test_and_fit_take_it(videogn, source, motion, tmp_path, capsys):
    out, _ = _convert(videogn, source, motion)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    assert "start for fine-tuning, not a network to use as it is" in " ".join(printed.split())
    command = printed.splitlines()[-1]
    assert command.startswith(f"videogn fit --model.init_from {out} --model.arch i3d_tiny --model.norm gn ")
    assert """--model.arch_options '{"width": 8}'""" in command
    video = next(motion.glob("val/*/*.mp4"))
    assert videogn("predict", video, "--checkpoint", out, "--clips=1", "--format=json") == 0
    assert len(json.loads(capsys.readouterr().out)[0]["predictions"]) == 5
    test = evaluation_arguments("test", motion, tmp_path / "test", out, f"--model.results_dir={tmp_path / 'tested'}")
    assert videogn(*test) == 0
    results = json.loads((tmp_path / "tested" / "results.json").read_text())
    assert results["training"] == {"converted_from": str(source), "calibration_clips": 6}
    assert videogn(*fit_arguments(motion, tmp_path / "fit", f"--model.init_from={out}", "--model.norm=gn")) == 0


def test_it_is_no_training_run_to_go_on_with(videogn, source, motion, tmp_path, capsys):
    assert videogn(*fit_arguments(motion, tmp_path / "fit", f"--ckpt_path={source}")) == 2
    reason = capsys.readouterr().err.strip().splitlines()[-1]
    assert reason.endswith("holds a network and no training run to go on with; start from it with --model.init_from")


def test_a_video_that_fails_is_named_and_left_out(videogn, source, damaged, capsys):
    out, status = _convert(videogn, source, damaged, "--clips=16", "--json")
    assert status == 1
    assert out.exists()
    printed = capsys.readouterr()
    assert printed.err.count("file is empty") == 3
    found = json.loads(printed.out)
    assert (found["clips"], found["calibrated"]["agreement"]["clips"]) == (15, 14)


def test_few_videos_give_several_clips_each(videogn, source, motion, tmp_path, capsys):
    videos = sorted(motion.glob("val/*/*.mp4"))[:3]
    words = ("convert", source, "--out", tmp_path / "gn.ckpt", "--clips=4", "--json", "--data", *videos)
    assert videogn(*words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], found["calibrated"]["agreement"]["clips"]) == (4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--norm=brn"], "activation of its own, such as gn, ln, in, ws+gn, rms_gn, dyt, derf, none, got 'brn'"),
        (["--norm=frn"], "without running statistics and without an activation of its own, such as gn, ln, in, "),
        (["--norm=gm"], "norm must be one of"),
        (["--norm-options={groups: 3}"], "channels must be divisible by groups"),
        (["--clips=0"], "--clips must be > 0, got 0"),
        (["--device=abacus"], "device 'abacus' cannot be used here"),
        (["--out=."], "--out must be a file, got the folder ."),
    ],
)
def test_refusals(videogn, source, motion, capsys, options, message):
    _, status = _convert(videogn, source, motion, *options)
    assert status == 2
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in printed


def test_sources_and_data_that_will_not_do(videogn, source, motion, tmp_path, capsys):
    def refused(*words):
        assert videogn("convert", *words, "--out", tmp_path / "out.ckpt") == 2
        assert not (tmp_path / "out.ckpt").exists()
        return capsys.readouterr().err.strip().splitlines()[-1]

    video = next(motion.glob("val/*/*.mp4"))
    assert "--data must have 2 videos or more" in refused(source, "--data", video)
    broken = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for path in broken:
        path.touch()
    assert "2 of 2 videos failed, the first is" in refused(source, "--data", *broken)
    assert "no such file or folder" in refused(tmp_path / "none.ckpt", "--data", video)
    (tmp_path / "m.onnx").touch()
    assert "m.onnx is an exported network; name the checkpoint" in refused(tmp_path / "m.onnx", "--data", video)
    assert videogn("convert", source, "--data", motion / "train", "--out", source) == 2
    assert "--out is the source" in capsys.readouterr().err
    load_network(source)
    converted, _ = _convert(videogn, source, motion)
    capsys.readouterr()
    assert "has norm gn, which keeps no running statistics" in refused(converted, "--data", video)
