"""Which lines of Lightning, and of our own, a command that trains or tests writes."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import torch

from videogn.system.standard_streams import OneLineFormatter

#: Beginnings of Lightning's lines that say nothing about the run, or that ours say too.
_NOISE = (
    "Tip:",
    "💡",
    "Seed set to",
    "GPU available",
    "TPU available",
    "HPU available",
    "LOCAL_RANK",
    "Using bfloat16 Automatic Mixed Precision",  # as the configuration or command line says
    "Using 16bit Automatic Mixed Precision",
    "`Trainer.fit` stopped",
    "\nDetected KeyboardInterrupt",
)
#: Lightning's warnings without consequence here: our loader resumes by itself, and a small data set has few batches.
#: The training loss in the log is that of one process; the counts are added up before they are logged.
_IGNORED = (
    ".*your dataloader is not resumable.*",
    ".*smaller than the logging interval.*",
    ".*`self.log.'(train|val|test)/.*', ..., sync_dist=True.`.*",
    ".*`self.log..` but `Trainer.barebones=True.` is configured.*",
)
#: Callbacks of the training run are not missed in a test.
_IGNORED_OF_TESTS = (".*callbacks used to create the checkpoint need to be provided.*",)


def prepare(command: str, *, level: int = logging.INFO) -> None:
    """Log to standard error what the run says, without what says nothing about it; multiply as fast as training does.

    Args:
        command: Name of the command: fit, validate or test.
        level: Level from which lines are written, Lightning's and our own. Default: INFO.
    """
    lines = _AboveBar() if sys.stderr.isatty() else logging.StreamHandler()
    lines.setFormatter(OneLineFormatter())
    logging.basicConfig(level=level, handlers=[lines])
    for logger in map(logging.getLogger, ("lightning.pytorch", "lightning.fabric")):
        logger.setLevel(level)
        for handler in logger.handlers:
            handler.addFilter(lambda line: not line.getMessage().startswith(_NOISE))
    for message in (*_IGNORED, *(() if command == "fit" else _IGNORED_OF_TESTS)):
        warnings.filterwarnings("ignore", message=message)
    torch.set_float32_matmul_precision("high")


class _AboveBar(logging.StreamHandler[Any]):
    """Writes to what sys.stderr is at that moment: a progress bar replaces it, to write lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
