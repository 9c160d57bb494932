"""Batch size on images: how many the norm sees, for BN and GN; the paper's Table 2 and Figures 1 and 5.

    python scripts/ablate_image_batch.py digits --out runs/batch
    python scripts/ablate_image_batch.py cifar10 --out runs/batch_cifar10 --set data.root=cifar10
    python scripts/ablate_image_batch.py imagenet --out runs/batch_imagenet --set data.root=imagenet

The grids are configs/study/digits_image_batch.yaml, cifar10_image_batch.yaml and imagenet_image_batch.yaml;
everything that `videogn study run` takes can be added.
"""

from videogn.cli.ablation import IMAGES, run_ablation

if __name__ == "__main__":
    run_ablation("image_batch", __doc__, IMAGES)
