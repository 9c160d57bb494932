"""Clip length at a fixed batch: short sparse clips against long dense ones, for each norm.

Run it with the configuration of your data set:

    python scripts/ablate_clip_length.py --out runs/clip_length --config configs/motion.yaml

Everything that `videogn study` takes can be added, and `-- ...` reaches every `videogn fit`.
"""

import sys

from videogn.cli import main

DEFAULTS = ["--norms", "bn", "gn", "--settings", "8x2@4", "16x2@4", "16x1@4", "32x1@4", "--step-clips", "8"]

if __name__ == "__main__":
    main(["study", "--title", "Clip length", *DEFAULTS, *sys.argv[1:]])
