"""GN with other numbers of groups, and of channels a group, on images: the paper's Table 3.

    python scripts/ablate_image_groups.py digits --out runs/groups
    python scripts/ablate_image_groups.py cifar10 --out runs/groups_cifar10 --set data.root=cifar10
    python scripts/ablate_image_groups.py imagenet --out runs/groups_imagenet --set data.root=imagenet

The grids are configs/study/digits_image_groups.yaml, cifar10_image_groups.yaml and imagenet_image_groups.yaml;
everything that `videogn study run` takes can be added.
"""

from videogn.cli.ablation import IMAGES, run_ablation

if __name__ == "__main__":
    run_ablation("image_groups", __doc__, IMAGES)
