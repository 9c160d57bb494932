"""Batch size at a fixed clip: 16, 8, 4, 2 and 1 clips per normalisation batch, for each norm.

Every cell takes its optimiser steps after 16 clips, so that only what the norm sees differs.

    python scripts/ablate_batch_size.py --out runs/batch_size --config configs/motion.yaml

Everything that `videogn study` takes can be added, and `-- ...` reaches every `videogn fit`.
"""

import sys

from videogn.cli import main

SETTINGS = ["8x2@16", "8x2@8", "8x2@4", "8x2@2", "8x2@1"]
DEFAULTS = ["--norms", "bn", "gn", "--settings", *SETTINGS, "--step-clips", "16"]

if __name__ == "__main__":
    main(["study", "--title", "Batch size", *DEFAULTS, *sys.argv[1:]])
