"""What results.json says about the network of a test, and about how it was computed."""

from __future__ import annotations

from typing import Any

from videogn.models.weights_hash import weights_sha256
from videogn.training.task_settings import CONTRACT


def describe_tested(
    task: Any, *, source: str | None, training: dict[str, Any] | None, engine_file: str | None
) -> dict[str, Any]:
    """Describe the network of a test that is running.

    Args:
        task: Task of the test, in its trainer.
        source: What the weights are where no checkpoint of a training run was loaded.
        training: Facts of the training run, from its checkpoint.
        engine_file: Exported file that is tested in the place of a network built here.

    Returns:
        Entries of results.json.
    """
    trainer: Any = task.trainer
    about = {
        "model": {key: task.hparams[key] for key in CONTRACT},
        "training": training,
        "checkpoint": trainer.ckpt_path or source,
        "loaded": "ckpt_path" if trainer.ckpt_path else "init_from",
        "weights_sha256": None,
        "computing": {
            "precision": str(trainer.precision),
            "device": task.device.type,
            "memory_format": task.layout,
            "compile": task.settings.compile,
            "group_norm": task.settings.group_norm,
            "clips_per_forward": task.hparams["clips_per_forward"],
        },
    }
    if engine_file is None:
        net: Any = task.net
        return {**about, "weights_sha256": weights_sha256(net)}
    from videogn.engine_files import engine_facts  # no training needs it

    return {**about, "engine": engine_facts(engine_file)}
