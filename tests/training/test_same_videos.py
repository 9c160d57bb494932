"""A training run that is resumed in the middle of an epoch whose videos have changed: it says so, in a line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from videogn.data.records import Records
from videogn.training.resuming import SameVideos

BEFORE = ["/a/x.mp4", "/a/y.mp4"]


def _trainer(paths, ready=1, last=False):
    records = Records.of_columns(paths, [0] * len(paths))
    batches = SimpleNamespace(current=SimpleNamespace(ready=ready), is_last_batch=last)
    return SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=SimpleNamespace(records=records)),
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=batches)),
        is_global_zero=True,
    )


@pytest.mark.parametrize(
    ("now", "progress", "said"),
    [
        (BEFORE, {}, False),
        (["/moved/x.mp4", "/moved/y.mp4"], {}, False),
        ([*BEFORE, "/a/z.mp4"], {}, True),
        (["/a/y.mp4", "/a/x.mp4"], {}, True),
        (["/a/z.mp4"], {"last": True}, False),
        (["/a/z.mp4"], {"ready": 0}, False),
    ],
    ids=["same", "moved", "added", "other order", "between epochs", "before the first"],
)
def test_the_line(caplog, now, progress, said):
    first, resumed = SameVideos(), SameVideos()
    first.on_train_start(_trainer(BEFORE), None)
    resumed.load_state_dict(first.state_dict())
    resumed.on_train_start(_trainer(now, **progress), None)
    assert bool(caplog.messages) is said
    assert all("from the middle of an epoch of 2 videos" in line for line in caplog.messages)


def test_a_run_that_is_not_resumed(caplog):
    SameVideos().on_train_start(_trainer(BEFORE), None)
    assert not caplog.messages
