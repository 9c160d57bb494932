"""The norms side by side on images at 32 a batch: the paper's Table 1 and Figure 4.

    python scripts/ablate_image_norm.py digits --out runs/norms
    python scripts/ablate_image_norm.py cifar10 --out runs/norms_cifar10 --set data.root=cifar10
    python scripts/ablate_image_norm.py imagenet --out runs/norms_imagenet --set data.root=imagenet

The grids are configs/study/digits_image_norm.yaml, cifar10_image_norm.yaml and imagenet_image_norm.yaml;
everything that `videogn study run` takes can be added.
"""

from videogn.cli.ablation import IMAGES, run_ablation

if __name__ == "__main__":
    run_ablation("image_norm", __doc__, IMAGES)
