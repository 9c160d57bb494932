"""videogn data images: a small data set of images as files in class folders."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from videogn.choices import ImageSetName, ImageSettings, chosen
from videogn.system.displayable import one_line


@dataclass(frozen=True)
class Options(ImageSettings):
    """Write a small data set of images as train/CLASS/*.png and val/CLASS/*.png, the layout of ImageNet.

    The official test images of Fashion-MNIST and CIFAR-10 go to val; of the digits, a fifth.

    Attributes:
        name: `digits` (scikit-learn's 8 x 8), `textures` (drawn, 32 x 32), `fashion_mnist` or `cifar10`.
        out: Folder to write to, new or empty.
        source: Folder with the files of Fashion-MNIST or CIFAR-10; what is not there is fetched by torchvision.
    """

    name: ImageSetName
    out: str
    source: str = field(default="image-sets", kw_only=True)


def run(options: Options) -> int:
    """Write the data set.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    from videogn.cli.progress import bar
    from videogn.data.images import write_image_set

    settings = chosen(ImageSettings, asdict(options))
    with bar("Writing images") as advance:
        out = write_image_set(options.out, settings, source=options.source, progress=advance)
    print(one_line(f"{out}: ready; train on it with `videogn fit --config images/{options.name} --data.root {out}`"))
    return 0
