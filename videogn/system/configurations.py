"""Configurations that ship with the package: those of `videogn fit`, and grids of studies in the folder study."""

from __future__ import annotations

from pathlib import Path

import videogn
from videogn.checks import existing_path, expanded, nearest

#: Subfolder of the grids of studies.
STUDY = "study"


def configuration_folder() -> Path:
    """Return the folder of the configurations: inside an installed package, at the top of a checkout."""
    package = Path(videogn.__file__).parent
    return package / "configs" if (package / "configs").is_dir() else package.parent / "configs"


def shipped(kind: str = "") -> dict[str, Path]:
    """List the configurations that ship with the package.

    Args:
        kind: "" for those of `videogn fit`, "study" for grids.

    Returns:
        Name -> file, for instance "kinetics400/base".
    """
    folder = configuration_folder() / kind
    paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}
    return {name: path for name, path in paths.items() if kind or not name.startswith(f"{STUDY}/")}


def find_config(name: str | Path, kind: str = "") -> Path:
    """Find a configuration by the path of its file or by the name of one that ships with the package.

    Args:
        name: Path of a YAML file, or a name such as "my_videos", "kinetics400/base" or "motion_smoke".
        kind: "" for configurations of `videogn fit`, "study" for grids.

    Returns:
        Path of the file. A file in the working directory comes before one that ships.

    Raises:
        FileNotFoundError: If there is no such file and no such name. The message suggests the nearest one.
    """
    path = expanded(name)
    if path.is_file():
        return path
    names = shipped(kind)
    known = str(name).removesuffix(".yaml").removeprefix("configs/").removeprefix(f"{kind}/")
    if known in names:
        return names[known]
    close = nearest(known, names)
    if close is None and not path.exists() and (path.suffix or len(path.parts) > 1):
        existing_path(path)  # raises, with the nearest file
    hint = f"did you mean {close!r}?" if close else f"name a YAML file, or one of {', '.join(names)}"
    raise FileNotFoundError(f"no configuration {str(name)!r}; {hint}")
