"""Maps the folder configs/ into the package; everything else is in pyproject.toml."""

from setuptools import find_namespace_packages, find_packages, setup

CONFIGS = ["videogn.configs", *(f"videogn.configs.{name}" for name in find_namespace_packages("configs"))]

setup(
    packages=[*find_packages(include=["videogn*"]), *CONFIGS],
    package_dir={"videogn.configs": "configs"},
    package_data={
        "videogn": [
            "py.typed",
            "models/kinetics400.txt",
            "report/page.css",
            "report/page_sorting.js",
            "study/array.sbatch",
        ],
        **{name: ["*.yaml"] for name in CONFIGS},
    },
)
