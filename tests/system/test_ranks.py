"""What processes tell one another: in one process, and in three."""

from __future__ import annotations

import json

import torch
from torch import distributed

from videogn.system.ranks import of_all_processes, rank, sent_to_first, world_size


def test_one_process_alone():
    assert (world_size(), rank()) == (1, 0)
    assert of_all_processes(["a"]) == [["a"]]
    assert list(sent_to_first([1, 2])) == []


def _exchange(number, folder):
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=number, world_size=3)
    taken = []

    def own():
        for item in [] if number == 1 else range(2):
            taken.append(item)
            yield {"from": number, "item": item}

    received = list(sent_to_first(own()))
    everybody = of_all_processes("abc"[number])
    (folder / f"{number}.json").write_text(json.dumps([received, taken, everybody]))
    distributed.destroy_process_group()


def test_three_processes(tmp_path):
    """The first gets the others' objects in order of rank, also after one that has none, and does not read its own."""
    torch.multiprocessing.start_processes(_exchange, (tmp_path,), nprocs=3, start_method="fork")
    found = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3)]
    assert found[0] == [[{"from": 2, "item": 0}, {"from": 2, "item": 1}], [], ["a", "b", "c"]]
    assert found[1] == [[], [], ["a", "b", "c"]]
    assert found[2] == [[], [0, 1], ["a", "b", "c"]]
