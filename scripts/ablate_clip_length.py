"""Clip length at a fixed batch: short sparse clips against long dense ones, for BN and GN.

    python scripts/ablate_clip_length.py motion --out runs/clip_length --jobs 2
    python scripts/ablate_clip_length.py kinetics400 --out runs/clip_length_k400 --set data.root=K400

The grids are configs/study/motion_clip_length.yaml and kinetics400_clip_length.yaml; everything that
`videogn study run` takes can be added.
"""

from videogn.cli.ablation import run_ablation

if __name__ == "__main__":
    run_ablation("clip_length", __doc__)
