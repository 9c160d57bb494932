"""What a predictor has in common with the networks of Hugging Face: from a folder or the Hub, and to them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

from torch import nn


class Pretrained:
    """The part of `Predictor` that reads and writes the Hugging Face layout."""

    _net: nn.Module
    _about: dict[str, Any]
    _source: str | Path

    def __init__(self, checkpoint: str | Path, **options: Any) -> None:
        raise NotImplementedError

    @classmethod
    def from_pretrained(cls, folder_or_hub_id: str | Path, **options: Any) -> Self:
        """Make a predictor of a folder in the Hugging Face layout. No code of it is run.

        Args:
            folder_or_hub_id: Folder that `save_pretrained` wrote, which needs no network; or the id of a repository on
                the Hub, `user/name` or `user/name@revision`, which is fetched into Hugging Face's cache once.
            **options: Further arguments of `Predictor`.

        Returns:
            The predictor.

        Raises:
            FileNotFoundError: There is no such folder.
            ModuleNotFoundError: huggingface_hub is not installed, which an id needs.
            ValueError: It is no folder of a network of videogn, or it could not be fetched.
        """
        from videogn.inference.pretrained import pretrained_source

        return cls(pretrained_source(folder_or_hub_id), **options)

    def save_pretrained(self, folder: str | Path, *, results: str | Path | None = None) -> Path:
        """Write the network, the input it expects and the views that this predictor takes as a folder in that layout.

        Args:
            folder: Folder for config.json, preprocessor_config.json, model.safetensors and README.md, a model card. A
                README.md that is there is left as it is.
            results: results.json of the network's test, or its folder, for the model card. Default: the one beside the
                checkpoint, if it is that checkpoint's.

        Returns:
            The folder.

        Raises:
            FileNotFoundError: There are no such results.
            ValueError: The results are those of another network, or the folder is a file.
        """
        from videogn.inference.pretrained import save_pretrained  # what only saving needs

        return save_pretrained(self._net, self._about, folder, source=self._source, results=results)

    def push_to_hub(self, repo_id: str, *, private: bool = True, results: str | Path | None = None) -> str:
        """Push what `save_pretrained` writes to the Hugging Face Hub, with the token of `hf auth login`.

        Args:
            repo_id: Repository, user/name; made if it does not exist. A README.md that it has is left as it is.
            private: Whether only its owner can see a repository that is made. Default: True.
            results: As in `save_pretrained`.

        Returns:
            URL of the repository.

        Raises:
            ModuleNotFoundError: huggingface_hub is not installed.
            ValueError: The Hub refused, or could not be reached; or as in `save_pretrained`.
        """
        from videogn.inference.pretrained import push_pretrained

        with tempfile.TemporaryDirectory() as parent:
            folder = self.save_pretrained(Path(parent, repo_id.rpartition("/")[2] or "model"), results=results)
            return push_pretrained(folder, repo_id, private=private)
