"""The settings of fit, validate and test that a checkpoint or a published network decides."""

from __future__ import annotations

import inspect
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from videogn.choices import EvaluationProtocol, NetworkInput
from videogn.extensions import find
from videogn.models import MODELS
from videogn.training.task_settings import CONTRACT, INPUT

if TYPE_CHECKING:
    from videogn.models.network_sources import PublishedNetwork

_log = logging.getLogger(__name__)

#: How clips are read. It is asked of the data: a network may well be tested on others than it was trained on.
_READING = ("fps", "antialias")
#: Clips, which a network may be tested with others of than it was trained with, where it takes them.
_CLIPS = ("clip_length", "interval")
#: Options that model and data module share, for checkpoints to hold them: the one that is given -> its follower.
LINKS = {f"model.{name}": f"data.{name}" for name in (*INPUT, "crops") if name not in _READING}
LINKS |= {f"data.{name}": f"model.{name}" for name in _READING}
#: Options of networks that are built here -> values that ask for nothing.
_BUILT_HERE = {"compile": (False,), "memory_format": ("auto", "contiguous"), "group_norm": ("pytorch",)}


def adopt(config: Namespace, hparams: dict[str, Any], given: Namespace, *, training: bool) -> None:
    """Take over a checkpoint's settings where the user has given no others.

    Args:
        config: All settings of the command, changed in place.
        hparams: Hyper-parameters of the checkpoint.
        given: The settings that the user has given.
        training: Whether a training run goes on, which must read its clips as before.

    Raises:
        ValueError: A setting that was given contradicts the checkpoint.
    """
    wanted = {f"model.{name}": hparams[name] for name in CONTRACT if name in hparams and name not in _READING}
    for name in _READING:
        if training or given.get(f"data.{name}") is None:
            wanted[f"data.{name}"] = hparams.get(name, getattr(NetworkInput, name))  # older checkpoints lack it
    # An exported file is made for clips of one length.
    if not training and not config["model.engine_file"]:
        _test_other_clips(wanted, given)
    if "model.crops" not in given:
        config["model.crops"] = hparams["crops"]
    wanted["data.class_names"] = hparams["class_names"]
    for key, value in wanted.items():
        # A saved configuration spells out what was left open: null asks for nothing.
        asked, made = _plain(config[key]), _plain(value)
        asked = asked or None if key == "data.fps" else asked  # 0 asks for none
        if key == "model.arch_options":
            # The memory mode is up to whoever trains.
            value = {**(value or {}), **{k: v for k, v in (asked or {}).items() if k == "memory_mode"}} or None
            asked, made = (_architecture(hparams["arch"], options) for options in (asked, made))
        if key in given and config[key] is not None and asked != made:
            trained = "none" if value is None else value
            other = "" if config["model.engine_file"] else ", or start from its weights with --model.init_from"
            raise ValueError(
                f"{key} is {config[key]}, but {config.ckpt_path} was trained with {trained}; leave it out{other}"
            )
        config[key] = value
    for source, follower in LINKS.items():
        config[follower] = config[source]
    config["model.init_from"] = None  # the checkpoint has all weights, and the file may not exist any more


def _test_other_clips(wanted: dict[str, Any], given: Namespace) -> None:
    """Leave what the user has given of the clips of a test to the user, and say where they are others than trained."""
    trained = {key: wanted[key] for key in (f"model.{name}" for name in _CLIPS) if key in wanted}
    tested = {key: value if given.get(key) is None else given[key] for key, value in trained.items()}
    if tested != trained:
        _log.warning(
            "tested on clips of %s x %s; the network was trained on %s x %s", *tested.values(), *trained.values()
        )
    wanted.update(tested)


def adopt_published(config: Namespace, network: PublishedNetwork, given: Namespace, *, training: bool) -> None:
    """Take over the settings of a published network and the protocol of its accuracy, and start from its weights.

    Args:
        config: All settings of the command, changed in place.
        network: The network.
        given: The settings that the user has given.
        training: Whether a training run was to go on, which no published network is.

    Raises:
        ValueError: It was, or a setting that was given contradicts the network.
    """
    if training:
        raise ValueError(f"{config.ckpt_path} is no training run to go on with; start from it with --model.init_from")
    views = asdict(network.views)
    known: dict[str, Any] = {"arch": network.arch, "norm": network.norm}
    known |= {"norm_options": network.norm_options, "arch_options": network.arch_options}
    known |= {name: value for name, value in views.items() if name not in ("mean", "std")}  # the weights bring these
    adopt(config, {**known, "class_names": list(network.class_names)}, given, training=False)
    for name in ("num_clips", "protocol"):
        if f"data.{name}" not in given:
            config[f"data.{name}"] = views[name]
    config["model.init_from"], config.ckpt_path = str(network.weights), None


def adopt_exported(config: Namespace, path: str, given: Namespace) -> None:
    """Take over what an exported file says about its network, and how that is tested.

    Args:
        config: All settings of the command, changed in place.
        path: The file.
        given: The settings that the user has given.

    Raises:
        ValueError: A checkpoint is given too, a setting that was given contradicts the file, or the file takes other
            views than those of the test.
    """
    if config.ckpt_path is not None:
        raise ValueError(f"--engine-file {path} and --ckpt_path {config.ckpt_path} are two networks: name one")
    from videogn.engine_files import describe_engine  # no training needs it

    described = describe_engine(path)
    about = dict(described.about)
    for name in ("arch", "norm", "norm_options", "arch_options"):  # names only: nothing is built, and none imported
        key, held = f"model.{name}", about.pop(name, None)
        if given.get(key) is not None and _plain(config[key]) != held:
            raise ValueError(f"{key} is {config[key]}, but {path} was exported with {held}; leave it out")
        config[key] = held
    for name, nothing in _BUILT_HERE.items():
        key = f"model.{name}"
        if config[key] not in nothing:
            raise ValueError(f"{key} is {config[key]}, but {path} runs as it was exported; leave it out")
    config.ckpt_path = path  # for the messages
    adopt(config, {"crops": EvaluationProtocol.crops, **about}, given, training=False)
    config.ckpt_path = None
    for name in ("num_clips", "protocol"):
        if f"data.{name}" not in given and name in about:
            config[f"data.{name}"] = about[name]
    sides = {"full": None, "three_crop": config["data.short_side"], "center": config["data.crop_size"]}
    described.check_views(clip_length=config["data.clip_length"], side=sides[config["model.crops"]])


def adopt_protocol(config: Namespace, source: str) -> None:
    """Take over the protocol of a published network whose weights are tested in a network that the user has described.

    Args:
        config: All settings of the command, changed in place.
        source: The network, as `--model.init_from` names it.

    Raises:
        ValueError: There is no published network of this name.
    """
    from videogn.models.network_sources import published_network

    network = published_network(source)
    if network is not None:
        config["data.protocol"] = network.views.protocol
        _log.info("--data.protocol %s, as the accuracy of %s was published", network.views.protocol, source)


def _architecture(arch: str, options: dict[str, Any] | None) -> dict[str, Any]:
    """Return all options of an architecture except those of training alone, which are no part of the network."""
    parameters = inspect.signature(find("arch", arch, MODELS, "videogn.models")).parameters.values()
    defaults = {parameter.name: _plain(parameter.default) for parameter in parameters}
    return {**defaults, **(options or {}), "dropout": None, "stochastic_depth": None, "memory_mode": None}


def _plain(value: Any) -> Any:
    """Convert tuples to lists and namespaces to dicts, so that they compare equal."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "as_dict"):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
