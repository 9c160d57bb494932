"""README.md of a folder in the Hugging Face layout: a model card, made of what is known and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from videogn.evaluation.proportions import wilson_interval
from videogn.inference.run_records import RunRecords
from videogn.models.pretrained_config import PretrainedConfig
from videogn.system.versions import package_versions

_TASK = "video-classification"
_MISSING = "not recorded"


def model_card(name: str, config: PretrainedConfig, weights: str, records: RunRecords) -> str:
    """Write a model card.

    Args:
        name: Name of the model.
        config: What its config.json says.
        weights: Where the weights come from, in words that mean something to strangers.
        records: Its test and training run, as far as they are known.

    Returns:
        Markdown with the YAML block that the Hub reads.
    """
    front = yaml.safe_dump(_front_matter(name, config, records), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{front}# license: to be filled in, for instance apache-2.0\n---",
        f"# {name}",
        f"A video classifier of videogn: `{config.arch}` with the norm "
        f"`{config.norm}`{_with(config.norm_options)}, {len(config.class_names)} classes (`id2label` in config.json).",
        "## Use\n\n```bash\nvideogn predict VIDEO --checkpoint FOLDER\n```\n\n```python\n"
        'from videogn.inference import Predictor\n\npredictor = Predictor("FOLDER")\n'
        'for prediction in predictor.predict("video.mp4"):\n    print(prediction.scores)\n```\n\n'
        "FOLDER is this folder, or `hf:USER/NAME` for its repository on the Hugging Face Hub.",
        "## Input\n\n" + _table(["", ""], _input_rows(config)),
        "## Accuracy\n\n" + _accuracy(records.results),
        "## Training\n\n" + _training(weights, records.training),
        "## Versions\n\n" + _versions(records.results),
        "## Licence\n\n**To be filled in by whoever publishes this model:** ______",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(name: str, config: PretrainedConfig, records: RunRecords) -> dict[str, Any]:
    front: dict[str, Any] = {"library_name": "videogn", "pipeline_tag": _TASK}
    front["tags"] = [_TASK, "videogn", config.arch, config.norm]
    metrics = _metrics(records.results)
    if metrics and records.results is not None:
        data = {"name": _data_name(records.results), "type": "videofolder"}
        if split := _videos_from(records.results).get("split"):
            data["split"] = split
        front["model-index"] = [
            {"name": name, "results": [{"task": {"type": _TASK}, "dataset": data, "metrics": metrics}]}
        ]
    return front


def _metrics(results: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if results is None:
        return []
    known = [(k, value) for k, value, _ in _accuracies(results["over_all"], results["k_of_top5"])]
    return [{"type": "accuracy", "name": f"top-{k} accuracy", "value": value} for k, value in known]


def _accuracies(over: Mapping[str, Any], k: int) -> list[tuple[int, float, int]]:
    """Every k, top-k accuracy and number of videos that is known; of two classes, top-2 says nothing but is there."""
    values = {1: over["top1"], k: over["top5"]}
    return [(k, value, over["videos"]) for k, value in values.items() if value is not None]


def _accuracy(results: Mapping[str, Any] | None) -> str:
    if results is None:
        return "Not measured, or the test's results.json was not at hand when this card was written."
    rows = []
    for over, of in (("over_all", "all videos"), ("over_decodable", "videos that decode")):
        for k, value, videos in _accuracies(results[over], results["k_of_top5"]):
            low, high = wilson_interval(value, videos)
            rows.append([f"top-{k}", of, f"{100 * value:.2f}", f"{100 * low:.2f} to {100 * high:.2f}", str(videos)])
    counts = results["counts"]
    split = _videos_from(results).get("split")
    lines = [
        _table(["accuracy", "over", "%", "95 % interval", "videos"], rows) if rows else "No accuracy is known.",
        "The interval is Wilson's, over videos: what other videos of this kind might have given. It says nothing about "
        "other training runs. A video that failed counts as wrong among all videos.",
        f"- Data: {_data_name(results)}{f', {split} videos' if split else ''}: {counts['expected']} expected, "
        f"{counts['evaluated']} evaluated, {counts['failed']} failed.\n"
        f"- Protocol: {_protocol(results['protocol'])}.\n"
        f"- SHA-256 of the list of videos: {results.get('index_sha256') or _MISSING}.",
    ]
    return "\n\n".join(lines)


def _videos_from(results: Mapping[str, Any]) -> Mapping[str, Any]:
    found = results.get("videos_from")
    return found if isinstance(found, Mapping) else {}


def _data_name(results: Mapping[str, Any]) -> str:
    """The data set by the last part of its path: the rest is of one machine."""
    found = _videos_from(results)
    place = found.get("root") or found.get("given")
    return Path(str(place)).name if place else _MISSING


def _protocol(protocol: Mapping[str, Any]) -> str:
    rate = f" at {protocol['fps']:g} frames per second" if protocol.get("fps") else ""
    aliased = "" if protocol.get("antialias", True) else ", frames not antialiased"
    return (
        f"{protocol['clips']} clips a video of {protocol['clip_length']} frames, interval {protocol['interval']}{rate}"
        f", starts `{protocol['starts']}`, crops `{protocol['crops']}`, short side {protocol['short_side']} "
        f"pixels{aliased}; probabilities averaged over positions, crops and clips"
    )


def _input_rows(config: PretrainedConfig) -> list[list[str]]:
    views = config.views
    every = f"every {_ordinal(views.interval)} frame" if views.interval > 1 else "consecutive frames"
    of = "of the video" if views.fps is None else f"at {views.fps:g} frames per second"
    return [
        ["clip", f"{views.clip_length} frames, {every} {of}"],
        ["short side, crop", f"{views.short_side}, {views.crop_size} pixels; RGB"],
        ["resizing", f"bilinear, {'antialiased' if views.antialias else 'not antialiased'}"],
        ["normalisation", f"(x / 255 - mean) / std, mean {_numbers(views.mean)}, std {_numbers(views.std)}"],
        ["views in prediction", f"{views.num_clips} clips by `{views.protocol}`, crops `{views.crops}`"],
    ]


def _training(weights: str, settings: Mapping[str, Any] | None) -> str:
    origin = f"The weights are those of {weights}."
    if settings is None:
        return f"{origin} How they were trained was not at hand when this card was written."
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True).strip()
    return (
        f"{origin} The settings of the training run, as its config.yaml has them; as training.yaml they train it again:"
        f"\n\n```bash\nvideogn fit --config training.yaml --data.root VIDEOS\n```\n\n```yaml\n{text}\n```"
    )


def _versions(results: Mapping[str, Any] | None) -> str:
    here = package_versions()
    tested = (results or {}).get("versions") or {}
    rows = [[name, version or "-", *([tested.get(name) or "-"] if tested else [])] for name, version in here.items()]
    return _table(["package", "card and weights written", *(["tested"] if tested else [])], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _with(options: Mapping[str, Any] | None) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in options.items())})" if options else ""


def _numbers(values: Sequence[float] | None) -> str:
    return ", ".join(f"{value:g}" for value in values or ())


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
