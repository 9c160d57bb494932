"""Number formats, memory formats and compilation of a training run, from the fit to the test, in one process."""

from __future__ import annotations

import json

import lightning.pytorch as pl
import pytest
import torch

from videogn.data.datamodule import VideoDataModule
from videogn.models.fit_checkpoint import read_fit_checkpoint
from videogn.training.task import VideoClassifier

pytestmark = pytest.mark.filterwarnings("ignore")
#: Precision -> type of the weights.
TYPES = {
    "32": torch.float32,
    "bf16-mixed": torch.float32,
    "16-mixed": torch.float32,
    "bf16-true": torch.bfloat16,
    "16-true": torch.float16,
    "64-true": torch.float64,
}


@pytest.fixture(autouse=True)
def _default_type():
    """Lightning sets another default type for a run in 64 bits."""
    yield
    torch.compiler.reset()
    assert torch.get_default_dtype() == torch.float32


def _data(motion):
    return VideoDataModule(
        str(motion), batch_size=4, num_workers=0, time_limit=0, clip_length=8, interval=1, crop_size=32, short_side=32,
        train_short_sides=(32, 36), num_clips=2,
    )  # fmt: skip


def _task(data, out, **options):
    return VideoClassifier(
        "i3d_tiny", arch_options={"width": 8}, class_names=data.class_names, results_dir=str(out), clip_length=8,
        interval=1, crop_size=32, short_side=32, norm="bn", **options,
    )  # fmt: skip


def _trainer(out, precision="32"):
    return pl.Trainer(
        accelerator="cpu", precision=precision, max_steps=2, limit_val_batches=1, limit_test_batches=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, default_root_dir=out,
        enable_checkpointing=False, val_check_interval=2,
    )  # fmt: skip


@pytest.mark.parametrize("precision", TYPES)
def test_every_precision_trains_validates_and_tests(motion, tmp_path, precision):
    data, trainer = _data(motion), _trainer(tmp_path, precision)
    task = _task(data, tmp_path)
    seen = set()
    task.net.register_forward_pre_hook(lambda net, inputs: seen.add((inputs[0].dtype, net.training)))
    trainer.fit(task, datamodule=data)
    assert {parameter.dtype for parameter in task.parameters()} == {TYPES[precision]}
    (validated,) = trainer.validate(task, datamodule=data, verbose=False)
    (tested,) = trainer.test(task, datamodule=data, verbose=False)
    assert seen == {(TYPES[precision], True), (TYPES[precision], False)}
    assert 0 <= validated["val/top1"] <= 1
    assert torch.isfinite(torch.tensor(validated["val/loss"]))
    assert 0 <= tested["test/top1_over_decodable"] <= 1
    wanted = "bf16-mixed" if precision == "16-mixed" else precision  # on a CPU
    assert json.loads((tmp_path / "results.json").read_text())["computing"]["precision"].startswith(wanted)


def test_a_run_with_everything_leaves_the_checkpoint_of_a_plain_one(motion, tmp_path, monkeypatch):
    """Compiled and with channels last: the same keys, values and hyper-parameters; results say how they came about."""
    compiled = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net, **options: compiled(net, backend="eager"))
    data, kept, tested = _data(motion), [], []
    for options in ({}, {"memory_format": "channels_last", "compile": "whole"}):
        pl.seed_everything(1)
        task, trainer = _task(data, tmp_path, **options), _trainer(tmp_path)
        trainer.fit(task, datamodule=data)
        trainer.save_checkpoint(tmp_path / "a.ckpt")
        kept.append(read_fit_checkpoint(tmp_path / "a.ckpt"))
        (numbers,) = trainer.test(task, datamodule=data, verbose=False)
        about = json.loads((tmp_path / "results.json").read_text())
        tested.append((numbers, about["computing"]))
    plain, other = kept
    assert plain["hyper_parameters"] == other["hyper_parameters"]
    assert list(plain["state_dict"]) == list(other["state_dict"])
    torch.testing.assert_close(other["state_dict"], plain["state_dict"], rtol=1e-3, atol=1e-4)
    assert task.net.blocks[0].conv.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert tested[0][1] == {**tested[1][1], "memory_format": "contiguous", "compile": False}
    assert (tested[1][1]["memory_format"], tested[1][1]["compile"]) == ("channels_last", "whole")
    assert tested[0][1]["group_norm"] == "pytorch"


def test_group_norms_kernels_are_refused_before_the_first_step(motion, tmp_path, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    data, trainer = _data(motion), _trainer(tmp_path)
    with pytest.raises(ValueError, match="group_norm triton takes a norm of gn, ln, in and ws"):
        trainer.fit(_task(data, tmp_path, group_norm="triton"), datamodule=data)
    assert trainer.global_step == 0


def test_a_fit_stops_before_its_first_step_where_a_convolution_is_wrong(motion, tmp_path, monkeypatch):
    check = "videogn.training.precision_check._error"
    monkeypatch.setattr(check, lambda shape, *others: "the output is all noise")
    data = _data(motion)
    for precision, check_precision, stops in (
        ("bf16-mixed", True, True),
        ("bf16-mixed", False, False),
        ("32", True, False),
    ):
        task, trainer = _task(data, tmp_path, check_precision=check_precision), _trainer(tmp_path, precision)
        if stops:
            with pytest.raises(ValueError, match="convolutions in bfloat16 are wrong on cpu with torch"):
                trainer.fit(task, datamodule=data)
        else:
            trainer.fit(task, datamodule=data)
        assert trainer.global_step == (0 if stops else 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_format": "channel_last"}, "memory_format must be one of contiguous, channels_last, auto"),
        ({"group_norm": "tritn"}, "group_norm must be one of pytorch, triton, got 'tritn'; did you mean 'triton'"),
        ({"compile": "all"}, "compile must be one of true, false, whole, regional, graphs, got 'all'"),
    ],
)
def test_wrong_names(options, message):
    with pytest.raises(ValueError, match=message):
        VideoClassifier("i3d_tiny", class_names=["a"], clip_length=8, crop_size=32, **options)
