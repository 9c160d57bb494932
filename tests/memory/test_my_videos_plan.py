"""The configurations for a folder of one's own videos: one fits a GPU of 8 GB, both train with one recipe."""

from __future__ import annotations

import pytest
import yaml

from videogn.memory import plan_steps, setting_of_run
from videogn.system.configurations import find_config

GIB = 2**30


def _read(name):
    return yaml.safe_load(find_config(name).read_text())


@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_a_gpu_of_8_gb_holds_a_step(norm):
    """With 2 GiB left for what the plan does not count: the device's context, cuDNN's workspaces, fragmentation."""
    config = _read("my_videos")
    model = {"norm_options": None, "arch_options": None, **config["model"], "norm": norm}
    optimizer = (config["model"]["optimizer"]["class_path"], {})
    setting = setting_of_run(model, 400, config["trainer"]["precision"], optimizer)
    (plan,) = plan_steps([setting])
    assert plan.memory(config["data"]["batch_size"]).peak_bytes < 6 * GIB


def test_one_recipe():
    """Optimiser, schedule and clipping of `from_scratch`; only the rate of the large network is another."""
    recipe, small, large = _read("from_scratch"), _read("my_videos_cpu"), _read("my_videos")
    for config in (small, large):
        assert config["trainer"]["gradient_clip_val"] == recipe["trainer"]["gradient_clip_val"]
        assert {name: config["model"][name] for name in recipe["model"] if name != "lr"} == {
            name: value for name, value in recipe["model"].items() if name != "lr"
        }
    assert small["model"]["lr"] == recipe["model"]["lr"]
