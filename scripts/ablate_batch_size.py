"""Batch size at a fixed clip: how many clips the norm sees, with steps of as many clips throughout.

    python scripts/ablate_batch_size.py motion --out runs/batch_size --jobs 2
    python scripts/ablate_batch_size.py kinetics400 --out runs/batch_size_k400 --set data.root=K400

The grids are configs/study/motion_batch_size.yaml and kinetics400_batch_size.yaml; everything that
`videogn study run` takes can be added.
"""

from videogn.cli.ablation import run_ablation

if __name__ == "__main__":
    run_ablation("batch_size", __doc__)
