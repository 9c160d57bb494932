"""Random numbers of a step depend on its own numbers alone; another run's checkpoint is refused."""

from __future__ import annotations

import pytest
import torch

from videogn.training.resuming import check_resumable, drawing

CPU = torch.device("cpu")


def _draw(*entropy):
    with drawing(*entropy, device=CPU):
        return torch.rand(4).tolist()


def test_numbers_decide_and_nothing_else():
    first = _draw(0, 1, 2)
    torch.rand(3)
    assert _draw(0, 1, 2) == first
    assert len({tuple(_draw(*entropy)) for entropy in ((0, 1, 2), (1, 1, 2), (0, 2, 2), (0, 1, 3))}) == 4


def test_draws_outside_go_on_as_before():
    torch.manual_seed(5)
    expected = torch.rand(2).tolist()
    torch.manual_seed(5)
    assert [torch.rand(1).item(), *([_draw(1)][1:]), torch.rand(1).item()] == expected
    assert torch.initial_seed() == 5


def test_no_other_device_is_seeded(monkeypatch):
    seeds = []
    for accelerator in (torch.cuda, torch.mps):
        for name in ("manual_seed", "manual_seed_all"):
            monkeypatch.setattr(accelerator, name, seeds.append, raising=False)
    _draw(1)
    assert seeds == []


def test_on_mps_draws_go_on_as_before_too(monkeypatch):
    states = [7]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[-1])
    for name in ("manual_seed", "set_rng_state"):
        monkeypatch.setattr(torch.mps, name, states.append)
    with drawing(1, device=torch.device("mps")):
        assert states[-1] != 7
    assert states[-1] == 7


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    device = torch.device("cuda", 0)
    torch.cuda.manual_seed(5)
    expected = [torch.rand(1, device=device).item() for _ in range(2)]
    torch.cuda.manual_seed(5)
    drawn = [torch.rand(1, device=device).item()]
    inside = []
    for _ in range(2):
        with drawing(1, device=device):
            inside.append(torch.rand(3, device=device).tolist())
    drawn.append(torch.rand(1, device=device).item())
    assert drawn == expected
    assert inside[0] == inside[1]


@pytest.mark.parametrize(
    ("before", "in_epoch", "words"),
    [
        ({}, True, None),
        ({"clips_per_step": None}, True, None),
        ({"clips_per_step": 8, "clips_per_batch": 4}, True, None),
        ({"clips_per_step": 8, "clips_per_batch": 8}, False, None),
        ({"clips_per_step": 8, "clips_per_batch": 8}, True, "middle of an epoch in batches of 8 clips .* not 4"),
        ({"clips_per_step": 16, "clips_per_batch": 4}, False, "16 clips an optimiser step, not 8"),
        ({"optimizer": "torch.optim.adamw.AdamW"}, False, r"AdamW, not torch\.optim\.sgd\.SGD.*--model\.optimizer"),
    ],
)
def test_other_batches_and_optimisers_are_refused(before, in_epoch, words):
    now = {"clips_per_batch": 4, "clips_per_step": 8, "optimizer": "torch.optim.sgd.SGD"}
    if words is None:
        check_resumable(before, now, in_epoch=in_epoch)
        return
    with pytest.raises(ValueError, match=words):
        check_resumable(before, now, in_epoch=in_epoch)
