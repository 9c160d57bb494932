"""The confusion matrix of a validation, counted and given to the loggers that take pictures."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image
from training import fit_arguments

from videogn.cli.logged_confusion import SENDS, confusion_pictures, send_of
from videogn.report.confusion_figure import plot_confusion

NAMES = ["a", "b", "c"]


class _Recorded:
    """A stand-in for what a logger writes to."""

    def __init__(self):
        self.calls = []

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        self.calls.append((tag, global_step, figure.get_size_inches().tolist()))

    def log_figure(self, run_id, figure, artifact_file, *, save_kwargs=None):
        self.calls.append((run_id, artifact_file, figure.get_size_inches().tolist()))


def _bare(kind, **attributes):
    """A logger of Lightning's without its package."""
    experiment = _Recorded()
    own = type(f"Bare{kind.__name__}", (kind,), {"__init__": lambda self: None, "experiment": experiment, **attributes})
    return own(), experiment


def test_each_logger_in_its_own_way():
    figure = plot_confusion(np.eye(3, dtype=int), NAMES)
    logger, experiment = _bare(TensorBoardLogger)
    send_of(logger)(logger, figure, 7)
    logger, other = _bare(MLFlowLogger, run_id="run")
    send_of(logger)(logger, figure, 7)
    assert experiment.calls == [("val/confusion", 7, list(figure.get_size_inches()))]
    assert other.calls == [("run", "val/confusion_00000007.png", list(figure.get_size_inches()))]
    images = []

    def log_image(self, key, images_, step=None, **kwargs):
        images.append((key, images_, step))

    wanted = list(inspect.signature(WandbLogger.log_image).parameters)
    assert wanted == ["self", "key", "images", "step", "kwargs"]
    logger, _ = _bare(WandbLogger, log_image=log_image)
    send_of(logger)(logger, figure, 7)
    ((key, (image,), step),) = images
    assert (key, step, image.mode, image.size) == ("val/confusion", 7, "RGB", (750, 652))
    assert len(image.getcolors(1 << 20)) > 10


def test_the_stand_in_has_the_signature_of_tensorboard():
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    theirs = inspect.signature(SummaryWriter.add_figure)
    assert list(theirs.parameters) == list(inspect.signature(_Recorded.add_figure).parameters)


def test_the_stand_in_has_the_signature_of_mlflow():
    mlflow = pytest.importorskip("mlflow")
    theirs = inspect.signature(mlflow.MlflowClient.log_figure)
    assert list(theirs.parameters) == list(inspect.signature(_Recorded.log_figure).parameters)


def test_nothing_is_counted_for_loggers_without_pictures(tmp_path):
    assert confusion_pictures([CSVLogger(tmp_path)]) == []
    assert confusion_pictures([]) == []
    assert set(SENDS) == {"TensorBoardLogger", "WandbLogger", "MLFlowLogger"}


def test_counts_are_those_of_a_loop():
    """Over batches, one of which has no video that decodes; a sanity check is not logged."""
    logger, experiment = _bare(TensorBoardLogger)
    trainer = SimpleNamespace(loggers=[logger], sanity_checking=True, is_global_zero=True, global_step=5)
    module = SimpleNamespace(device=torch.device("cpu"), class_names=NAMES)
    (pictures,) = confusion_pictures([logger])
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 3, (2, size)) for size in (4, 1, 7)]
    expected = np.zeros((3, 3), dtype=int)
    for sanity in (True, False):
        trainer.sanity_checking = sanity
        pictures.on_validation_epoch_start(trainer, module)
        pictures.on_validation_batch_end(trainer, module, None, None, 0)
        for labels, predicted in batches:
            outputs = {"targets": torch.tensor(labels), "probabilities": torch.eye(3)[torch.tensor(predicted)]}
            pictures.on_validation_batch_end(trainer, module, outputs, None, 0)
            for true, guess in zip(labels, predicted, strict=True):
                expected[true, guess] += 0 if sanity else 1
        pictures.on_validation_epoch_end(trainer, module)
    assert pictures._counts.tolist() == expected.tolist()
    assert [call[:2] for call in experiment.calls] == [("val/confusion", 5)]


@pytest.mark.draws
def test_pictures_of_a_fit(videogn, motion, tmp_path):
    """Through the real TensorBoard: a picture of each validation, and the run as any other."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = ["--trainer.logger=TensorBoardLogger", f"--trainer.logger.save_dir={tmp_path}"]
    arguments = [a for a in fit_arguments(motion, tmp_path, "--trainer.max_epochs=2") if "logger" not in a]
    assert videogn(*arguments, *logger) == 0
    run = tmp_path / "lightning_logs" / "version_0"
    assert {"best.ckpt", "last.ckpt"} == {path.name for path in (run / "checkpoints").iterdir()}
    assert (run / "curve.png").is_file()
    events = accumulator.EventAccumulator(str(run)).Reload()
    assert [image.step for image in events.Images("val/confusion")] == [2, 4]


# The picture itself.


@pytest.mark.parametrize(("classes", "pixels"), [(3, 750), (48, 750), (49, 1000), (400, 1000)])
def test_a_picture_up_to_400_classes(tmp_path, classes, pixels):
    counts = np.eye(classes, dtype=int)
    counts[0, -1] = 3
    figure = plot_confusion(counts, [f"$class_{number} with a long name of no use" for number in range(classes)])
    figure.savefig(tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as image:
        assert image.size == (pixels, int(0.87 * pixels))
    image = figure.axes[0].images[0].get_array()
    assert image[0].tolist() == [25.0, *[0.0] * (classes - 2), 75.0]
    assert len(figure.axes[0].texts) == (classes + 1 if classes <= 12 else 0)


def test_a_class_without_videos_and_a_wrong_size():
    counts = np.array([[2, 0], [0, 0]])
    assert plot_confusion(counts, ["a", "b"]).axes[0].images[0].get_array()[1].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"counts must be of 3 x 3 classes, got \(2, 2\)"):
        plot_confusion(counts, NAMES)
