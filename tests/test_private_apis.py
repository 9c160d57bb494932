"""What videogn uses of Lightning and torchdata although it is not public: a release without it fails here, by name."""

from __future__ import annotations

import dataclasses
import inspect

import lightning.pytorch as pl
import pytest
import torch
import torch._meta_registrations as shape_rules
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loops.progress import _BatchProgress
from torch import nn

from videogn.data.loader import STATEFUL, StatefulDataLoader
from videogn.training.callbacks import EffectiveBatch
from videogn.training.callbacks.checkpoints import RunCheckpoint


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_save_checkpoint", ["self", "trainer", "filepath"]),
        ("_save_last_checkpoint", ["self", "trainer", "monitor_candidates"]),
        ("_save_topk_checkpoint", ["self", "trainer", "monitor_candidates"]),
        ("_monitor_candidates", ["self", "trainer"]),
        ("_should_skip_saving_checkpoint", ["self", "trainer"]),
        ("_should_save_on_exception", ["self", "trainer"]),
    ],
)
def test_methods_of_model_checkpoint(name, parameters):
    method = getattr(ModelCheckpoint, name, None)
    assert method is not None, f"lightning's ModelCheckpoint.{name} is gone"
    assert list(inspect.signature(method).parameters) == parameters, f"ModelCheckpoint.{name} takes other arguments"


def test_methods_of_the_command_line():
    for name, parameters in (
        ("_instantiate_trainer", ["self", "config", "callbacks"]),
        ("_parse_ckpt_path", ["self"]),
        ("_run_subcommand", ["self", "subcommand"]),
        ("_prepare_subcommand_parser", ["self", "klass", "subcommand", "kwargs"]),
    ):
        method = getattr(LightningCLI, name, None)
        assert method is not None, f"LightningCLI.{name} is gone"
        assert list(inspect.signature(method).parameters) == parameters, name


def test_attributes_of_model_checkpoint():
    assert "_last_global_step_saved" in vars(ModelCheckpoint()), "ModelCheckpoint._last_global_step_saved is gone"
    assert "save_checkpoint" in vars(TorchCheckpointIO), "TorchCheckpointIO.save_checkpoint is gone"


class _Probe(pl.Callback):
    """Keeps what a training's loops and checkpoint look like in its middle."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.checkpoint: dict = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        fit, epoch = trainer.fit_loop, trainer.fit_loop.epoch_loop
        wanted = [
            (fit, ["_should_accumulate", "_data_fetcher", "setup_data", "batch_idx", "total_batch_idx"]),
            (epoch, ["_should_accumulate", "_num_ready_batches_reached", "_should_check_val_fx", "batch_progress"]),
            (epoch.batch_progress, ["current", "total", "is_last_batch"]),
            (trainer.strategy, ["checkpoint_io", "broadcast", "batch_to_device"]),
            (trainer.precision_plugin, ["forward_context"]),
            (trainer, ["estimated_stepping_batches", "num_training_batches", "datamodule"]),
        ]
        for owner, names in wanted:
            self.missing += [f"{type(owner).__name__}.{name}" for name in names if not hasattr(owner, name)]
        epoch._should_check_val_fx(fit._data_fetcher)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.checkpoint = checkpoint


def test_loops_and_the_keys_of_a_checkpoint(tmp_path):
    probe = _Probe()
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = pl.Trainer(default_root_dir=tmp_path, max_steps=2, limit_val_batches=1, callbacks=[probe], **options)
    trainer.fit(BoringModel())
    assert not probe.missing, f"lightning has no {', '.join(probe.missing)}"
    loops = probe.checkpoint["loops"]["fit_loop"]
    counts = {field.name for field in dataclasses.fields(_BatchProgress().current)}
    for key in ("epoch_loop.batch_progress", "epoch_loop.val_loop.batch_progress"):
        assert key in loops, f"a checkpoint's loops have no {key}"
        assert {"current", "total", "is_last_batch"} <= loops[key].keys(), key
        assert set(loops[key]["current"]) == counts == {"ready", "started", "processed", "completed"}, key


def test_hooks_that_videogn_overrides():
    for base, own in ((ModelCheckpoint, RunCheckpoint), (pl.Callback, EffectiveBatch)):
        for name, method in vars(own).items():
            if name.startswith("on_"):
                original = getattr(base, name, None)
                assert original is not None, f"{base.__name__}.{name} is gone"
                assert list(inspect.signature(method).parameters) == list(inspect.signature(original).parameters), name


@pytest.mark.skipif(not STATEFUL, reason="needs torchdata")
def test_attributes_of_the_stateful_loader():
    loader = StatefulDataLoader(nn.ParameterList())
    for name in ("_iterator", "next_iter_state"):
        assert hasattr(loader, name), f"torchdata's StatefulDataLoader.{name} is gone"


def test_shared_storage_of_a_descriptor():
    storage = torch.UntypedStorage
    assert all(hasattr(storage, name) for name in ("_new_shared", "_new_shared_fd_cpu")), "torch has other names"


def test_the_rounding_of_pooling():
    """It is exchanged while a network is exported: torch up to 2.10 asks for the remainder, too."""
    assert [shape_rules.div_rtn(size, 2) for size in range(5)] == [0, 0, 1, 1, 2]


def test_handling_of_signals():
    """A training run handles signals itself, and ends by Lightning's own end on SIGTERM."""
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    connector = trainer._signal_connector
    assert list(inspect.signature(connector.register_signal_handlers).parameters) == []
    assert list(inspect.signature(connector._slurm_sigusr_handler_fn).parameters) == ["signum", "_"]
    assert trainer.received_sigterm is False
    connector.received_sigterm = True
    assert trainer.received_sigterm is True
    assert hasattr(trainer._accelerator_connector, "cluster_environment")


def test_the_writer_of_metrics():
    for name in ("_record_new_keys", "log_hparams", "save"):
        assert hasattr(ExperimentWriter, name), f"lightning's ExperimentWriter.{name} is gone"


def test_working_directory_of_rays_jobs():
    """Ray puts it on the module path of its workers unless the job says that it has one of its own."""
    job_config = pytest.importorskip("ray.job_config")
    assert job_config.JobConfig()._runtime_env_has_working_dir() is False
