"""Loaders of the motion data set: shapes, order, seeds, splits, and settings that are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch

from videogn.data.datamodule import VideoDataModule
from videogn.data.synthetic.motion import MOTIONS
from videogn.video import clip_indices, decode_frames
from videogn.video.transforms import views_of
from videogn.video.window import resize_short_side

SIZES = {
    "clip_length": 4,
    "interval": 2,
    "crop_size": 24,
    "short_side": 28,
    "train_short_sides": (26, 32),
    "batch_size": 5,
}


#: Of an epoch that begins.
_PROGRESS = SimpleNamespace(current=SimpleNamespace(ready=0))


def _data(root=None, **options):
    return VideoDataModule(None if root is None else str(root), **SIZES | {"num_workers": 0} | options)


def _samples(loader):
    return [sample for batch in loader for sample in batch.samples]


def _views(loader):
    return {sample.position: torch.stack(list(views_of(sample))) for sample in _samples(loader)}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches(motion, num_workers):
    """32 training videos in batches of 5 without the last 2; all 16 in validation; one video of 3 x 10 views a test."""
    data = _data(motion, num_workers=num_workers, crops="three_crop")
    train = list(data.train_dataloader())
    assert [len(batch.samples) for batch in train] == [5] * 6
    seen = [sample.position for batch in train for sample in batch.samples]
    assert len(set(seen)) == 30
    assert seen != sorted(seen)
    for sample in (sample for batch in train for sample in batch.samples):
        (view,) = views_of(sample)
        assert (tuple(view.shape), view.dtype) == ((3, 4, 24, 24), torch.uint8)
    val = list(data.val_dataloader())
    assert [len(batch.samples) for batch in val] == [5, 5, 5, 1]
    assert [sample.position for batch in val for sample in batch.samples] == list(range(16))
    assert {tuple(view.shape) for batch in val for s in batch.samples for view in views_of(s)} == {(3, 4, 24, 24)}
    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        records = data.splits[split].records
        assert [(s.path, s.label) for s in _samples(loader)] == [(r.path, r.label) for r in records]
    test = list(data.test_dataloader())
    assert [sample.position for batch in test for sample in batch.samples] == list(range(16))
    for batch in test:
        (sample,) = batch.samples
        views = list(views_of(sample))
        assert len(views) == 30
        assert {tuple(view.shape) for view in views} == {(3, 4, 28, 28)}
        assert sample.starts == tuple(clip_indices(32, clip_length=4, interval=2)[:, 0].tolist())
    assert not any(batch.failed for batch in [*train, *val, *test])


def test_labels_are_those_of_the_folders(motion):
    data = _data(motion)
    assert data.class_names == sorted(MOTIONS)
    for sample in [*_samples(data.train_dataloader()), *_samples(data.test_dataloader())]:
        assert f"/{data.class_names[sample.label]}/" in sample.path.replace("\\", "/")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_training_clips_differ_between_epochs(motion, num_workers):
    loader = _data(motion, num_workers=num_workers).train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        epochs.append({s.position: (s.starts, s.crops) for s in _samples(loader)})
    first, second = epochs
    both = set(first) & set(second)
    assert len(both) >= 28
    assert sum(first[position] == second[position] for position in both) <= 3


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_seed_fixes_the_training_epoch(motion, num_workers):
    def epoch(seed):
        pl.seed_everything(seed, workers=True, verbose=False)
        loader = _data(motion, num_workers=num_workers).train_dataloader()
        return [(s.position, s.starts, s.crops) for s in _samples(loader)]

    assert epoch(1) == epoch(1)
    assert epoch(1) != epoch(2)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_augmented_validation_is_the_same_at_every_epoch_and_drawn_as_in_training(motion, num_workers):
    data = _data(motion, val_view="augmented", num_workers=num_workers)
    loader = data.val_dataloader()
    first = _views(loader)
    torch.rand(7)  # whatever happens between two epochs
    second, anew = _views(loader), _views(_data(motion, val_view="augmented").val_dataloader())
    assert len(first) == 16
    for position, view in first.items():
        assert tuple(view.shape) == (1, 3, 4, 24, 24)
        assert torch.equal(view, second[position])
        assert torch.equal(view, anew[position])
    samples = _samples(loader)
    assert len({sample.starts for sample in samples}) > 5
    assert {sample.crops[0].flip for sample in samples} == {False, True}
    other = {
        s.position: (s.starts, s.crops) for s in _samples(_data(motion, val_view="augmented", seed=1).val_dataloader())
    }
    assert other != {s.position: (s.starts, s.crops) for s in samples}


def test_centre_validation_takes_the_middle(motion):
    """Frames 12, 14, 16, 18 of 32, and 24 x 24 out of 28 x 28."""
    data = _data(motion)
    for sample in _samples(data.val_dataloader()):
        assert sample.starts == (12,)
        frames = resize_short_side(torch.from_numpy(decode_frames(sample.path, [12, 14, 16, 18])), 28)
        (view,) = views_of(sample)
        difference = view.int() - frames[:, 2:26, 2:26].permute(3, 0, 1, 2).int()
        assert difference.abs().max() <= 1  # the crop is cut first, then resized


def test_flip_0_never_mirrors(motion):
    loader = _data(motion, flip=0.0).train_dataloader()
    assert not any(sample.crops[0].flip for _ in range(2) for sample in _samples(loader))


def test_validation_has_its_own_batch_size(motion):
    assert [len(batch.samples) for batch in _data(motion, eval_batch_size=7).val_dataloader()] == [7, 7, 2]


def test_the_protocol_reaches_the_test_and_its_description(motion):
    data = _data(motion, num_clips=3, protocol="endpoint", crops="center")
    for sample in _samples(data.test_dataloader()):
        assert sample.starts == (0, 12, 24)
        assert len(sample.crops) == 1
    about = data.describe_test()
    assert about["protocol"] == {
        "clips": 3,
        "starts": "endpoint",
        "crops": "center",
        "short_side": 28,
        "clip_length": 4,
        "interval": 2,
    }
    assert about["index_sha256"] == data.splits["test"].fingerprint()
    assert data.num_test_videos() == 16
    assert _data(motion, antialias=False).describe_test()["protocol"]["antialias"] is False


# Where the videos come from


def test_tables_and_folders_give_the_same(motion, tmp_path):
    for split in ("train", "val"):
        shutil.copytree(motion / split, tmp_path / split)
    folders, tables = _data(tmp_path), _data(motion)
    for split in ("train", "val", "test"):
        assert folders.splits[split].fingerprint() != ""
        ours = sorted((r.path.rsplit("/", 1)[-1], r.label) for r in folders.splits[split].records)
        assert ours == sorted((r.path.rsplit("/", 1)[-1], r.label) for r in tables.splits[split].records)


def test_the_test_is_validation_by_default(motion):
    data = _data(motion)
    assert data.splits["test"] == data.splits["val"]
    assert len(_data(motion, test=str(motion / "train")).splits["test"]) == 32


@pytest.mark.parametrize(("fraction", "held"), [(0.25, 1), (0.5, 2), (0.2, 1)])
def test_class_folders_only_are_divided(motion, fraction, held):
    """Class by class, without overlap, the same way for the same seed."""
    data = _data(motion / "train", val_fraction=fraction)
    train, val = data.splits["train"], data.splits["val"]
    assert {r.path for r in train.records}.isdisjoint({r.path for r in val.records})
    assert len(train) + len(val) == 32
    for label in range(8):
        assert sum(record.label == label for record in val.records) == held
    assert _data(motion / "train", val_fraction=fraction).splits == data.splits
    assert _data(motion / "train", val_fraction=fraction, seed=1).splits != data.splits


def test_class_names_fix_the_order(motion):
    names = list(MOTIONS)  # not sorted
    data = _data(motion, class_names=names)
    assert data.class_names == names
    for split in ("train", "val", "test"):
        for record in data.splits[split].records:
            assert f"/{names[record.label]}/" in record.path


def test_a_class_that_validation_lacks_keeps_its_number(motion, tmp_path):
    shutil.copytree(motion / "train", tmp_path / "train")
    shutil.copytree(motion / "val", tmp_path / "val")
    shutil.rmtree(tmp_path / "val" / "contract")
    data = _data(tmp_path)
    for split in ("train", "val"):
        for record in data.splits[split].records:
            assert f"/{data.class_names[record.label]}/" in record.path


def test_training_only(motion):
    data = _data(train=str(motion / "train"))
    assert data.val_dataloader() == []
    assert len(list(data.train_dataloader())) == 6
    with pytest.raises(ValueError, match="no test videos"):
        data.test_dataloader()


def test_validation_only(motion):
    data = _data(val=str(motion / "val"))
    assert len(_samples(data.test_dataloader())) == 16
    with pytest.raises(ValueError, match="no train videos"):
        data.train_dataloader()


def test_missing_videos_are_left_out_of_training_and_counted_in_a_test(motion, tmp_path, caplog):
    for split in ("train", "val"):
        shutil.copytree(motion / split, tmp_path / split)
        shutil.copy(motion / f"{split}.csv", tmp_path)
        next(iter(sorted((tmp_path / split).rglob("*.mp4")))).unlink()
    data = _data(tmp_path, batch_size=31)
    (batch,) = data.train_dataloader()
    assert (len(batch.samples), batch.failed) == (31, [])
    assert any("1 of 32 videos are missing" in message for message in caplog.messages)
    test = list(data.test_dataloader())
    assert len(test) == data.num_test_videos() == 16
    assert sum(len(batch.failed) for batch in test) == 1
    failed = next(batch.failed[0] for batch in test if batch.failed)
    assert "file not found" in failed.error


def test_a_batch_of_failed_videos_only_does_not_stop_a_test(motion, tmp_path):
    shutil.copytree(motion / "val", tmp_path / "val")
    for path in (tmp_path / "val").rglob("*.mp4"):
        path.write_bytes(b"")
    batches = list(_data(tmp_path).val_dataloader())
    assert [(len(batch.samples), len(batch.failed)) for batch in batches] == [(0, 5), (0, 5), (0, 5), (0, 1)]


# Settings that are refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "nonlocl"}, "protocol .* did you mean 'nonlocal'"),
        ({"crops": "three_crops"}, "crops .* did you mean 'three_crop'"),
        ({"val_view": "centre"}, "val_view .* did you mean 'center'"),
        ({"decoder": "pyavv"}, "decoder .* did you mean 'pyav'"),
        ({"crop_size": 30}, r"crop_size must be in 1\.\.26 \(train_short_sides\), got 30"),
        ({"short_side": 23}, r"crop_size must be in 1\.\.23 \(short_side\), got 24"),
        ({"crop_size": 0}, "crop_size .* got 0"),
        (
            {"random_resized_crop": (0.0, 1.0)},
            r"random_resized_crop must be smallest, largest share .* got \(0\.0, 1\.0\)",
        ),
        ({"random_resized_crop_ratio": (1.0, 2.0)}, r"random_resized_crop_ratio needs random_resized_crop"),
        ({"train_short_sides": (32, 26)}, r"train_short_sides .* got \(32, 26\)"),
        ({"batch_size": 0}, "batch_size must be > 0, got 0"),
        ({"num_clips": -1}, "num_clips must be > 0, got -1"),
        ({"class_names": ["drift left"]}, "unknown class"),
    ],
)
def test_wrong_settings(motion, options, words):
    with pytest.raises(ValueError, match=words):
        _data(motion, **options)


@pytest.mark.parametrize(
    "options",
    [{"clip_length": 0}, {"interval": 0}, {"flip": 1.5}, {"flip": -0.1}, {"eval_batch_size": -2}, {"seed": -1}],
)
def test_numbers_out_of_range_are_refused_at_once(motion, options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        _data(motion, **options)


@pytest.mark.parametrize("split", ["train", "val"])
def test_videos_without_a_class_are_not_for_training_and_validation(motion, tmp_path, split):
    """Kinetics' test tables have no labels; given for training or validation, that has to be said in so many words."""
    lines = (motion / f"{split}.csv").read_text(encoding="utf-8").splitlines()
    table = tmp_path / f"{split}.csv"
    table.write_text("\n".join([lines[0], "," + lines[1].split(",", 1)[1], *lines[2:]]), encoding="utf-8")
    data = _data(motion, **{split: str(table), "class_names": sorted(MOTIONS)})
    assert data.splits[split].records[0].label is None
    with pytest.raises(ValueError, match=r"without a class|no class|label"):
        getattr(data, f"{split}_dataloader")()


def test_a_batch_larger_than_the_data_set(motion):
    with pytest.raises(ValueError, match="batch_size must be <= 32, the training videos of a process, got 33"):
        _data(motion, batch_size=33).train_dataloader()


def test_no_source_at_all():
    with pytest.raises(ValueError, match=r"--data\.root"):
        _data()


def test_a_root_that_does_not_exist(motion):
    with pytest.raises(FileNotFoundError, match="did you mean"):
        _data(motion.parent / "data sat")


def test_training_and_validation_share_one_cache(motion):
    data = _data(motion, cache="1GiB")
    loaders = [data.train_dataloader(), data.val_dataloader(), data.training_loader(seed=1)]
    assert len({id(loader.dataset.opener.__self__) for loader in loaders}) == 1


def test_the_decoding_process_ends_with_the_run(motion):
    """Also with one that fails; it does not wait until a trainer and its data module are collected."""
    data = _data(motion, time_limit=60, num_workers=0)
    for end in (lambda: data.teardown("fit"), lambda: data.on_exception(ValueError())):
        next(iter(data.val_dataloader()))
        pid = data.guard._process.pid
        assert Path(f"/proc/{pid}").exists()
        end()
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("cache", [0, "0", False, "false"])
def test_no_cache(motion, cache):
    data = _data(motion, cache=cache)
    assert data.val_dataloader().dataset.opener == data.test_dataloader().dataset.opener


@pytest.mark.parametrize("cache", [True, "true", "lots", -1])
def test_a_cache_is_a_size(motion, cache):
    with pytest.raises(ValueError, match="cache must be a size such as 2GiB or 500MB, or 0 for none, got"):
        _data(motion, cache=cache)


def test_a_data_module_restored_late_keeps_the_order(motion):
    """FSDP and DeepSpeed restore after the loader was made; the trainer's loader asks again."""
    begun = _data(motion)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=_PROGRESS))
    begun.trainer = SimpleNamespace(fit_loop=loop, overfit_batches=0.0)
    torch.manual_seed(1)
    paths = [sample.path for sample in _samples(begun.train_dataloader())]
    resumed = _data(motion)
    resumed.trainer = begun.trainer
    torch.manual_seed(2)
    loader = resumed.train_dataloader()
    resumed.load_state_dict(begun.state_dict())
    assert [sample.path for sample in _samples(loader)] == paths
