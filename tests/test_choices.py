"""Names and defaults are said once: the tables of functions have the names of `videogn.choices`."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import get_args

import pytest

from videogn import choices
from videogn.choices import EvaluationProtocol, EvaluationViews, NetworkInput, chosen


def test_tables_have_the_names_of_the_choices():
    from videogn.exporting.formats import FORMATS
    from videogn.models.network_sources import _TORCHVISION, _ZOO, KINDS
    from videogn.report.leaderboard import LEADERBOARD_FORMATS
    from videogn.report.table_formats import TABLE_FORMATS
    from videogn.training.optimisation import SCALINGS
    from videogn.training.schedules import SCHEDULES
    from videogn.video.clips import PROTOCOLS
    from videogn.video.crops import CROPS
    from videogn.video.decoders.readers import READERS

    tables = {
        choices.ProtocolName: PROTOCOLS,
        choices.CropsName: CROPS,
        choices.ScalingName: SCALINGS,
        choices.ScheduleName: SCHEDULES,
        choices.SourceKindName: KINDS,
        choices.ZooName: _ZOO,
        choices.TorchvisionName: _TORCHVISION,
        choices.ExportFormatName: FORMATS,
        choices.TableFormatName: TABLE_FORMATS,
        choices.LeaderboardFormatName: LEADERBOARD_FORMATS,
    }
    for names, table in tables.items():
        assert set(get_args(names)) == set(table)
    assert {"auto", *READERS} == set(get_args(choices.DecoderName))


def test_the_default_network_and_norm_exist():
    from videogn.models import MODELS
    from videogn.norm import NORMS

    assert choices.ARCH in MODELS
    assert choices.NORM in NORMS


def test_choices_need_no_torch():
    code = "import sys, videogn.choices; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (NetworkInput, "clip_length", 0),
        (NetworkInput, "interval", -1),
        (NetworkInput, "crop_size", 0),
        (NetworkInput, "short_side", 0),
        (EvaluationProtocol, "num_clips", 0),
        (EvaluationViews, "num_clips", 0),
        (EvaluationViews, "interval", 0),
    ],
)
def test_numbers_out_of_range_are_named(kind, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be > 0, got {value}$"):
        kind(**{name: value})


def test_a_standard_deviation_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"^std must be > 0, got 0\.0$"):
        NetworkInput(std=(0.2, 0.0, 0.2))


@pytest.mark.parametrize("kind", [EvaluationProtocol, EvaluationViews])
@pytest.mark.parametrize(
    ("name", "value", "near"), [("protocol", "slowfas", "slowfast"), ("crops", "centre", "center")]
)
def test_unknown_names_are_refused_with_the_nearest(kind, name, value, near):
    with pytest.raises(ValueError, match=f"^{name} must be one of .*got '{value}'; did you mean '{near}'"):
        kind(**{name: value})


def test_the_views_of_a_test_are_both_values():
    ours = {field.name for field in dataclasses.fields(EvaluationViews)}
    assert ours == {field.name for kind in (NetworkInput, EvaluationProtocol) for field in dataclasses.fields(kind)}
    assert isinstance(EvaluationViews(), NetworkInput)
    assert isinstance(EvaluationViews(), EvaluationProtocol)


def test_entries_of_a_checkpoint_are_picked_by_name():
    hparams = {"arch": "i3d_tiny", "clip_length": 8, "crops": "center", "lr": 0.1}
    assert chosen(NetworkInput, hparams) == NetworkInput(clip_length=8)
    assert chosen(EvaluationViews, hparams) == EvaluationViews(clip_length=8, crops="center")
