"""Parts of a network that do not train: unchanged to the bit, without gradient and state; and until when."""

from __future__ import annotations

import logging

import lightning.pytorch as pl
import pytest
import torch
from forked import free_port, run_torchrun
from training import fit_arguments

from videogn.data.datamodule import VideoDataModule
from videogn.training.callbacks import BatchNormDiagnosis, PreciseBatchNorm
from videogn.training.task import VideoClassifier

SIZE = {"clip_length": 4, "interval": 2, "crop_size": 32, "short_side": 32}
CLASSES = ["down", "in", "left", "left_turn", "out", "right", "right_turn", "up"]
PREFIXES = {"stem": "blocks.0.", "res2": "blocks.1.", "res3": "blocks.3.", "res5": "blocks.5.", "head": "blocks.6."}


class _Recorder(pl.Callback):
    """Copies of the weights, and which parameters have gradients and states, after every epoch or step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []
        self.gradients: list[set[str]] = []
        self.losses: list[float] = []

    def on_train_start(self, trainer, pl_module):
        self._keep(pl_module)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.gradients.append({name for name, p in pl_module.net.named_parameters() if p.grad is not None})

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, trainer, pl_module):
        self._keep(pl_module)

    def _keep(self, pl_module):
        self.weights.append({name: value.clone() for name, value in pl_module.net.state_dict().items()})


def _fit(motion, folder, *, epochs=1, norm="bn", callbacks=(), checkpoint=None, steps=-1, trainer=(), **settings):
    torch.manual_seed(0)
    data = VideoDataModule(root=str(motion), batch_size=4, num_workers=0, time_limit=0, flip=0,
                           train_short_sides=(32, 36), **SIZE)  # fmt: skip
    options = settings.pop("arch_options", {})
    task = VideoClassifier("i3d_tiny", norm, settings.pop("norm_options", None), {"width": 8, **options},
                           data.training_classes, **SIZE, **settings)  # fmt: skip
    recorder = _Recorder()
    run = pl.Trainer(
        max_epochs=epochs, max_steps=steps, limit_train_batches=2, limit_val_batches=1, accelerator="cpu",
        devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        default_root_dir=folder, enable_checkpointing=False, callbacks=[recorder, *callbacks], **dict(trainer),
    )  # fmt: skip
    run.fit(task, data, ckpt_path=checkpoint)
    return task, recorder, run


def _changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def _in(name, parts):
    return name.startswith(tuple(PREFIXES[part] for part in parts))


@pytest.mark.parametrize(
    ("norm", "freeze", "more"),
    [
        ("bn", ["stem", "res2"], {}),
        ("brn", "stem,res5", {}),
        ("bcn", ["blocks.0", "blocks.3.res_blocks"], {"arch_options": {"memory_mode": "stage"}}),
        ("sub_bn", ["stem", "res2", "res3"], {"norm_options": {"clips": 2}, "arch_options": {"memory_mode": "block"}}),
        ("gn", ["head", "res2"], {"arch_options": {"memory_mode": "lean"}}),
        ("bn", ["stem", "res3"], {"ema": 0.5, "layer_decay": 0.7}),
    ],
)
def test_what_is_frozen_stays_to_the_bit_and_the_rest_trains(motion, tmp_path, norm, freeze, more):
    task, recorder, trainer = _fit(
        motion, tmp_path, norm=norm, freeze=freeze, weight_decay=0.1, lr=0.5, base_batch=None, **more
    )
    parts = freeze.split(",") if isinstance(freeze, str) else freeze
    names = {"blocks.0": "stem", "blocks.3.res_blocks": "res3"}
    parts = [names.get(part, part) for part in parts]
    before, after = recorder.weights[0], recorder.weights[-1]
    frozen = {name for name in before if _in(name, parts)}
    assert frozen
    assert _changed(before, after) == before.keys() - frozen
    parameters = dict(task.net.named_parameters())
    assert recorder.gradients == [parameters.keys() - frozen] * 2
    with_state = {name for name, p in parameters.items() if p in trainer.optimizers[0].state}
    assert with_state == parameters.keys() - frozen
    assert sum(len(group["params"]) for group in trainer.optimizers[0].param_groups) == len(with_state)


def test_the_backbone_trains_the_classifier_alone(motion, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "videogn"):
        _, recorder, _ = _fit(motion, tmp_path, freeze="backbone", arch_options={"dropout": 0.5})
    assert _changed(*recorder.weights) == {"blocks.6.proj.weight", "blocks.6.proj.bias"}
    assert "frozen: backbone; 2,056 of 156,784 parameters train" in caplog.messages
    assert "frozen parts keep their random weights: start from trained ones with --model.init_from" in caplog.messages


@pytest.mark.parametrize("norm", ["bn", "gn", "bcn", "ws+gn", "frozen_bn", "in"])
def test_norms_are_gamma_beta_and_statistics(motion, tmp_path, norm):
    task, recorder, _ = _fit(motion, tmp_path, norm=norm, freeze="norms")
    convolutions = {name for name, parameter in task.net.named_parameters() if parameter.ndim == 5}
    assert _changed(*recorder.weights) == convolutions | {"blocks.6.proj.weight", "blocks.6.proj.bias"}


def test_precise_statistics_leave_frozen_layers_alone(motion, tmp_path):
    callbacks = (PreciseBatchNorm(num_batches=1), BatchNormDiagnosis(num_batches=1))
    _, recorder, trainer = _fit(motion, tmp_path, freeze=["stem", "res2"], callbacks=callbacks)
    changed = _changed(*recorder.weights)
    assert any(name.endswith("running_mean") for name in changed)
    assert not any(_in(name, ("stem", "res2")) for name in changed)
    measured = [name for name in trainer.callback_metrics if name.endswith("std_distance")]
    assert measured
    assert not any(name.startswith("bn/blocks.0") for name in measured)


UNFREEZE = {"freeze": ["backbone", "norms"], "unfreeze_epochs": {"res5": 1, "blocks.3": 2}, "norm": "bn"}


def test_parts_train_from_their_epoch_on(motion, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "videogn"):
        task, recorder, trainer = _fit(
            motion, tmp_path, epochs=3, lr=0.5, schedule="cosine", optimizer=torch.optim.AdamW, **UNFREEZE
        )
    steps = [_changed(*pair) for pair in zip(recorder.weights, recorder.weights[1:], strict=False)]
    convolutions = {name for name, parameter in task.net.named_parameters() if parameter.ndim == 5}
    head = {"blocks.6.proj.weight", "blocks.6.proj.bias"}
    wanted = [("head",), ("head", "res5"), ("head", "res5", "res3")]
    assert steps == [head | {name for name in convolutions if _in(name, parts)} for parts in wanted]
    assert any(line.startswith("epoch 1: res5 trains too; ") for line in caplog.messages)
    (optimizer,) = trainer.optimizers  # one rate for all groups, that of the schedule
    assert len({group["lr"] for group in optimizer.param_groups}) == 1
    # Adam's own count of a parameter's steps begins with the epoch that it trains from.
    parameters = dict(task.net.named_parameters())
    counts = {name: int(optimizer.state[parameters[name]]["step"]) for name in steps[-1]}
    assert {name: count for name, count in counts.items() if _in(name, ("head",))} == dict.fromkeys(head, 6)
    assert {count for name, count in counts.items() if _in(name, ("res5",))} == {4}
    assert {count for name, count in counts.items() if _in(name, ("res3",))} == {2}


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_resumed_run_is_the_uninterrupted_one(motion, tmp_path, step, caplog):
    """At the end of an epoch and in the middle of one, before and after parts have begun to train."""

    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if trainer.global_step == step:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    whole, expected, _ = _fit(motion, tmp_path, epochs=3, lr=0.5, callbacks=[Stop()], **UNFREEZE)
    assert "random weights" in caplog.text
    caplog.clear()
    again, recorder, _ = _fit(motion, tmp_path, epochs=3, lr=0.5, checkpoint=tmp_path / "half.ckpt", **UNFREEZE)
    assert "random weights" not in caplog.text
    assert recorder.losses == expected.losses[step:]
    assert not _changed(whole.net.state_dict(), again.net.state_dict())


def test_two_processes_exchange_the_gradients_of_what_begins_to_train(motion, tmp_path):
    arguments = fit_arguments(
        motion,
        tmp_path / "run",
        "--data.batch_size=2",
        "--trainer.strategy=ddp",
        "--trainer.devices=2",
        "--trainer.max_epochs=2",
        "--model.freeze=backbone",
        "--model.unfreeze_epochs={res5: 1}",
        "--trainer.callbacks+=rank_weights.RankWeights",
        f"--trainer.callbacks.folder={tmp_path / 'seen'}",
    )
    options = ["--nproc-per-node=2", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}"]
    done = run_torchrun([options], arguments, tmp_path / "log.txt")
    assert done.statuses == [0], done.output
    start, *ends = (torch.load(tmp_path / "seen" / f"{name}.pt") for name in ("start-0", "end-0", "end-1"))
    assert not _changed(*ends)
    changed = _changed(start, ends[0])
    assert changed == {name for name in changed if _in(name, ("head", "res5"))}
    assert {"blocks.6.proj.weight", "blocks.5.res_blocks.0.branch2.norm_c.weight"} <= changed


def test_another_freeze_is_no_way_to_resume(motion, tmp_path):
    *_, trainer = _fit(motion, tmp_path, freeze="backbone")
    trainer.save_checkpoint(tmp_path / "frozen.ckpt")
    with pytest.raises(ValueError, match=r"trained with backbone frozen, not nothing: .*\(--model.freeze, "):
        _fit(motion, tmp_path, epochs=2, checkpoint=tmp_path / "frozen.ckpt")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": "rse5"}, "freeze must name backbone, head, norms, stem, res2, .*, got 'rse5'; did you mean 'res5'"),
        ({"freeze": "blocks.9"}, "such as blocks, got 'blocks.9'; did you mean 'blocks.6'"),
        ({"freeze": ["backbone", "head"]}, "freeze leaves nothing to train"),
        ({"freeze": "stem", "unfreeze_epochs": {"res5": 2}}, "unfreeze_epochs names res5, which freeze does not"),
        ({"freeze": "stem", "unfreeze_epochs": {"stem": 0}}, "unfreeze_epochs must be 1 or more .*, got 0 for stem"),
    ],
)
def test_wrong_parts_are_refused_in_a_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        VideoClassifier("i3d_tiny", "bn", class_names=CLASSES, **SIZE, **settings)
    assert "\n" not in str(caught.value)
