"""GN with other numbers of groups, and of channels a group: the paper's Table 3.

    python scripts/ablate_groups.py motion --out runs/groups --jobs 2
    python scripts/ablate_groups.py kinetics400 --out runs/groups_k400 --set data.root=K400

The grids are configs/study/motion_groups.yaml and kinetics400_groups.yaml; everything that
`videogn study run` takes can be added.
"""

from videogn.cli.ablation import run_ablation

if __name__ == "__main__":
    run_ablation("groups", __doc__)
