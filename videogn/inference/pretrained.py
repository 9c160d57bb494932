"""A network out again: a folder in the Hugging Face layout, here or on the Hub."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from videogn.checks import existing_path, expanded
from videogn.choices import EvaluationViews, chosen
from videogn.inference.loading import refuse_several_labels
from videogn.inference.model_card import model_card
from videogn.inference.run_records import find_records
from videogn.models.network_sources import KINDS
from videogn.models.pretrained_config import CONFIG, MODEL_TYPE, PretrainedConfig, checked, config_entries
from videogn.models.pretrained_folder import WEIGHTS
from videogn.source_names import check_not_exported, hub_id, repository
from videogn.system.files import replacing, write_json, write_text
from videogn.system.versions import package_versions

_log = logging.getLogger(__name__)

PREPROCESSOR = "preprocessor_config.json"
CARD = "README.md"
#: All that is written, and all that is pushed.
FILES = (WEIGHTS, PREPROCESSOR, CARD, CONFIG)
#: Bilinear, in Pillow's numbers.
_BILINEAR = 2


def save_pretrained(
    net: nn.Module,
    about: Mapping[str, Any],
    folder: str | Path,
    *,
    source: str | Path,
    results: str | Path | None = None,
    name: str | None = None,
) -> Path:
    """Write a network as a folder in the Hugging Face layout, which is a source of a network itself.

    Files of an earlier network are replaced, except README.md: it may have been filled in by hand.

    Args:
        net: The network.
        about: What it is and sees, see `videogn.inference.load_network`.
        folder: Folder to write; made if it does not exist.
        source: Source of the network, for the model card.
        results: results.json of its test, or the folder of that, for the model card. Default: the one beside the
            checkpoint, if it is that checkpoint's.
        name: Name in the model card. Default: the name of the folder.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: There are no such results.
        ValueError: The results are those of another network, or the folder is a file, or that of another library.
    """
    from safetensors.torch import save

    check_not_exported(source)
    refuse_several_labels(about, "the Hugging Face layout")
    folder = expanded(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; a network in the Hugging Face layout is a folder")
    _refuse_others(folder / CONFIG)
    records = find_records(source, about, results)
    config = _config(about)
    entries = {**config_entries(config), "versions": package_versions()}
    # Copies, because a file of safetensors cannot hold two tensors that share their memory.
    tensors = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in net.state_dict().items()}
    card = folder / CARD
    if card.exists():
        _log.warning("%s is left as it is; remove it first for a new one", card)
    else:
        write_text(card, model_card(name or folder.resolve().name, config, _in_words(source), records))
    with ExitStack() as files:  # they take their places together: weights beside the classes of others would lie
        weights, preprocessor, configuration = (
            files.enter_context(replacing(folder / each)) for each in (WEIGHTS, PREPROCESSOR, CONFIG)
        )
        weights.write_bytes(save(tensors, metadata={"format": "pt"}))  # save_file's would be readable by us alone
        write_json(preprocessor, _preprocessor(config.views))
        write_json(configuration, entries)
    return folder


def pretrained_source(folder_or_hub_id: str | Path) -> str | Path:
    """Return the source of a folder in the Hugging Face layout, and nothing else.

    Args:
        folder_or_hub_id: Folder, which comes first, or id of a repository on the Hub.

    Raises:
        FileNotFoundError: It is neither.
        ValueError: It is a file.
    """
    if hub_id(folder_or_hub_id) is not None:
        return folder_or_hub_id
    path = existing_path(folder_or_hub_id)
    if not path.is_dir():
        raise ValueError(f"{path} is a file, no folder in the Hugging Face layout; Predictor(FILE) takes checkpoints")
    return path


def push_pretrained(folder: str | Path, repo_id: str, *, private: bool = True) -> str:
    """Push a folder that `save_pretrained` wrote to the Hugging Face Hub; nothing else that lies in it.

    A README.md that the repository has already is left as it is.

    Args:
        folder: The folder.
        repo_id: Repository, user/name; made if it does not exist.
        private: Whether only its owner can see a repository that is made. Default: True.

    Returns:
        URL of the repository.

    Raises:
        ModuleNotFoundError: huggingface_hub is not installed.
        ValueError: The id is none, or the Hub refused it, or could not be reached.
    """
    repo = repository(repo_id).repo
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ModuleNotFoundError(
            f"pushing to {repo} on the Hugging Face Hub needs huggingface_hub: pip install 'videogn[hub]'"
        ) from error
    api = HfApi()
    try:
        url = api.create_repo(repo, private=private, exist_ok=True)
        kept = [CARD] if api.file_exists(repo, CARD) else []
        files = [name for name in FILES if name not in kept]
        message = "Upload a network of videogn"
        api.upload_folder(repo_id=repo, folder_path=expanded(folder), allow_patterns=files, commit_message=message)
    except Exception as error:  # no network, no permission, a name that is taken: a dozen types
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{repo} could not be pushed to the Hugging Face Hub: {reason}; has `hf auth login` been given a token "
            "that may write there?"
        ) from error
    return str(url)


def _refuse_others(path: Path) -> None:
    """Never write over the network of another library."""
    if path.exists() and f'"{MODEL_TYPE}"' not in path.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"{path} was not written by videogn and is not replaced: name another folder")


def _config(about: Mapping[str, Any]) -> PretrainedConfig:
    """Bring what is known into the form of config.json, by the same checks as reading it."""
    config = PretrainedConfig(
        about["arch"],
        about["norm"],
        about.get("norm_options"),
        about.get("arch_options"),
        tuple(about["class_names"]),
        chosen(EvaluationViews, about),
        about["clips_per_forward"],
    )
    return checked(config_entries(config))


def _preprocessor(views: EvaluationViews) -> dict[str, Any]:
    """One centred view in the words that other programs read; videogn itself reads config.json alone."""
    assert views.mean is not None
    assert views.std is not None
    return {
        "image_processor_type": "VideoMAEImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": views.short_side},
        "resample": _BILINEAR,
        "do_center_crop": True,
        "crop_size": {"height": views.crop_size, "width": views.crop_size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(views.mean),
        "image_std": list(views.std),
    }


def _in_words(source: str | Path) -> str:
    """Where weights come from; of a file its name alone, for the rest is of one machine."""
    kind, _, name = str(source).partition(":")
    if kind in KINDS:
        return f"`{kind}:{Path(name).name}` (their licence: {KINDS[kind](name).licence})"
    path = expanded(source)
    return f"`{path.name if path.exists() else source}`"
