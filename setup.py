"""Maps the folder configs/ into the package; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["videogn*"]), "videogn.configs"],
    package_dir={"videogn.configs": "configs"},
    package_data={"videogn": ["py.typed", "report/page.css"], "videogn.configs": ["*.yaml", "*/*.yaml"]},
)
