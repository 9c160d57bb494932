"""The norms side by side at a fixed clip and batch: the paper's Table 1.

    python scripts/ablate_norm.py motion --out runs/norm --jobs 2
    python scripts/ablate_norm.py kinetics400 --out runs/norm_k400 --set data.root=K400

The grids are configs/study/motion_norm.yaml and kinetics400_norm.yaml; everything that
`videogn study run` takes can be added.
"""

from videogn.cli.ablation import run_ablation

if __name__ == "__main__":
    run_ablation("norm", __doc__)
