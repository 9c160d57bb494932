"""Augmentation by its definitions: loops over clips and frames, and torchvision applied to one frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from videogn.axes import Batch, Crop, Sample
from videogn.training.augmentation import Augmentation, AugmentationSettings
from videogn.training.resuming import drawing
from videogn.training.task import VideoClassifier

CPU = torch.device("cpu")
LABELS = torch.tensor([4, 0, 2, 2])
PIXELS = [
    {"rand_augment": 9},
    {"rand_augment": 15, "rand_augment_ops": 3},
    {"color_jitter": 0.4},
    {"random_erasing": 1},
]


def _augmentation(**options):
    return Augmentation(AugmentationSettings(**options), num_classes=5, mean=(0.4, 0.5, 0.6))


def _normalise(views):
    return views.double() / 255


def _noise(videos=4, frames=3, height=12, width=16):
    return torch.randint(0, 256, (videos, 3, frames, height, width), dtype=torch.uint8)


def _one_hot(labels):
    return np.eye(5)[labels.numpy()]


def test_without_options_nothing_happens():
    views, state = _noise(), torch.get_rng_state()
    clips, targets = _augmentation()(views, LABELS, _normalise)
    assert torch.equal(clips, _normalise(views))
    assert targets is LABELS
    assert torch.equal(torch.get_rng_state(), state)


def test_mixup_is_the_loop_over_its_definition():
    """lambda x_i + (1 - lambda) x_j and the same of the targets, with one other clip of the batch each."""
    views = _noise()
    shares = []
    for _ in range(10):
        clips, targets = _augmentation(mixup=0.8)(views, LABELS, _normalise)
        share = targets[0, 4].item()  # no other video has this class
        shares.append(share)
        for i in range(4):
            mixed = share * _normalise(views[i]) + (1 - share) * _normalise(views[i - 1])
            assert torch.allclose(clips[i], mixed, atol=1e-6)
            wanted = share * _one_hot(LABELS)[i] + (1 - share) * _one_hot(LABELS)[i - 1]
            np.testing.assert_allclose(targets[i], wanted, atol=1e-6)
    assert np.ptp(shares) > 0.1


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_share_of_mixup_is_beta_distributed(alpha):
    augmentation, views = _augmentation(mixup=alpha), _noise(4, 1, 1, 1)
    shares = [augmentation(views, LABELS, _normalise)[1][0, 4].item() for _ in range(500)]
    assert kstest(shares, beta(alpha, alpha).cdf).pvalue > 1e-3


def test_cutmix_cuts_one_box_and_counts_its_pixels():
    """The same box in all frames of all clips; the share of the target is the share of the pixels."""
    views = torch.arange(0, 200, 50, dtype=torch.uint8)[:, None, None, None, None].expand(4, 3, 5, 24, 32)
    areas = []
    for _ in range(30):
        clips, targets = _augmentation(cutmix=1.0)(views, LABELS, _normalise)
        for i in range(4):
            foreign = clips[i] == _normalise(views[i - 1])
            assert torch.equal(~foreign, clips[i] == _normalise(views[i]))
            rows, columns = foreign[0, 0].any(dim=1), foreign[0, 0].any(dim=0)
            assert torch.equal(foreign, (rows[:, None] & columns[None]).expand_as(foreign))
            assert all(len(torch.unique_consecutive(side)) <= 3 for side in (rows, columns))
            area = foreign[0, 0].float().mean().item()
            wanted = (1 - area) * _one_hot(LABELS)[i] + area * _one_hot(LABELS)[i - 1]
            np.testing.assert_allclose(targets[i], wanted, atol=1e-6)
        areas.append(area)
    assert min(areas) < 0.1
    assert max(areas) > 0.5


def test_with_both_every_batch_has_one_and_half_of_them_each():
    views = _noise(4, 1, 8, 8)
    augmentation, cut = _augmentation(mixup=0.8, cutmix=1.0), []
    for _ in range(300):
        clips, _ = augmentation(views, LABELS, _normalise)
        one, other = _normalise(views), _normalise(views).roll(1, 0)
        cut.append(bool(((clips == one) | (clips == other)).all()))
    assert 110 < sum(cut) < 190  # 4 standard deviations around 150 are 115 to 185


@pytest.mark.parametrize("options", [{"mixup": 1.0}, {"cutmix": 1.0}])
def test_several_labels_of_a_video_are_mixed_too(options):
    labels = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
    _, targets = _augmentation(**options)(_noise(), labels, _normalise)
    share = targets[0, 0].item()
    assert torch.allclose(targets, share * labels + (1 - share) * labels.roll(1, 0))
    assert targets.is_floating_point()


@pytest.mark.parametrize("options", PIXELS, ids=str)
def test_all_frames_of_a_clip_are_changed_alike(options):
    """Each is what torchvision makes of this frame alone with the same draws; the clips of a batch differ."""
    views, augmentation = _noise(3, 4), _augmentation(**options)
    for seed in range(15):
        torch.manual_seed(seed)
        whole, _ = augmentation(views, LABELS[:3], _normalise)
        for frame in range(4):
            torch.manual_seed(seed)
            alone, _ = augmentation(views[:, :, frame : frame + 1], LABELS[:3], _normalise)
            assert torch.equal(whole[:, :, frame : frame + 1], alone)
    still = views[:1, :, :1].expand(3, 3, 4, 12, 16)
    clips, _ = augmentation(still, LABELS[:3], _normalise)
    assert torch.equal(clips, clips[:, :, :1].expand_as(clips))
    assert not torch.equal(clips[0], clips[1])
    assert not torch.equal(clips[1], clips[2])


def test_brightness_contrast_and_saturation_stay_in_their_range():
    """Of a grey picture the first alone changes anything, by a factor in 0.6 to 1.4."""
    grey = torch.full((1, 3, 2, 4, 4), 100, dtype=torch.uint8)
    augmentation = _augmentation(color_jitter=0.4)
    factors = [augmentation(grey, LABELS[:1], _normalise)[0].mean().item() * 2.55 for _ in range(200)]
    assert 0.59 < min(factors) < 0.65
    assert 1.35 < max(factors) < 1.41


def test_an_erased_box_has_the_mean_colour():
    views = torch.full((2, 3, 4, 20, 20), 255, dtype=torch.uint8)
    clips, targets = _augmentation(random_erasing=1.0)(views, LABELS[:2], _normalise)
    erased = clips[:, :1] != 1
    assert torch.equal(erased, erased[:, :, :1].expand_as(erased))
    for channel, mean in enumerate((0.4, 0.5, 0.6)):
        assert clips[:, channel][erased[:, 0]].unique().tolist() == [int(255 * mean) / 255]
    assert all(0.02 < share < 0.4 for share in erased.double().mean(dim=(1, 2, 3, 4)).tolist())  # 0.02 to 0.33
    assert targets.tolist() == [4, 0]


def test_a_padded_crop_is_a_shift_into_black():
    views = _noise(40)
    clips, _ = _augmentation(pad_crop=2)(views, LABELS.repeat(10), _normalise)
    places = set()
    for view, clip in zip(views, (clips * 255).round().to(torch.uint8), strict=True):
        padded = torch.nn.functional.pad(view, [2] * 4)
        cuts = {(y, x): padded[..., y : y + view.shape[2], x : x + view.shape[3]] for y in range(5) for x in range(5)}
        (place,) = [place for place, cut in cuts.items() if torch.equal(cut, clip)]  # the same in all frames
        places.add(place)
    assert len(places) > 12  # of 25, in 40 draws


@pytest.mark.parametrize("options", [{"mixup": 0.8}, {"cutmix": 1.0}])
def test_single_clips_cannot_be_mixed(options):
    augmentation = _augmentation(**options)
    augmentation.check_batch(2)
    with pytest.raises(ValueError, match=r"batch_size must be >= 2, got 1"):
        augmentation.check_batch(1)
    _augmentation(rand_augment=9).check_batch(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixup": -0.1}, "mixup must be >= 0, got -0.1"),
        ({"cutmix": float("nan")}, "cutmix must be >= 0, got nan"),
        ({"rand_augment": 31}, r"rand_augment is a magnitude and must be in 0\.\.30, got 31"),
        ({"rand_augment_ops": 0}, "rand_augment_ops must be >= 1, got 0"),
        ({"pad_crop": -1}, "pad_crop must be >= 0, got -1"),
        ({"random_erasing": 1.5}, r"random_erasing is a probability and must be in \[0, 1\], got 1.5"),
    ],
)
def test_wrong_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        VideoClassifier("i3d_tiny", class_names=["a", "b"], clip_length=4, crop_size=32, **options)


def _task(**options):
    size = {"arch_options": {"width": 4}, "clip_length": 4, "crop_size": 32}
    task = VideoClassifier("i3d_tiny", class_names=list("abcde"), **size, **options)
    task.log = lambda *_, **__: None  # type: ignore[method-assign]
    seen = []
    task.net.forward = lambda clips: (
        seen.append(clips) or clips.mean(dim=(1, 2, 3, 4))[:, None, None, None, None].expand(-1, 5, 1, 1, 1)
    )
    return task, seen


def _batch():
    frames = torch.randint(0, 256, (4, 4, 32, 32, 3), dtype=torch.uint8)
    clip, crops = torch.arange(4)[None], (Crop(0, 0, 32, 32),)
    return Batch([Sample(i, "a.mp4", i, frames=frames[i], clips=clip, crops=crops) for i in range(4)], [])


EVERYTHING = {"mixup": 0.8, "cutmix": 1.0, "rand_augment": 9, "color_jitter": 0.4, "random_erasing": 0.5}


def test_a_training_step_draws_from_its_own_numbers():
    """The same again after other draws, as in a resumed run; others for another batch, epoch or process."""
    (task, seen), batch = _task(**EVERYTHING), _batch()
    for index in (0, 0, 1):
        task.training_step(batch, index)
        torch.rand(3)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    with drawing(task._seed, 1, 0, 0, device=CPU):  # process 1
        task.training_logits(batch, task._augmentation)
    assert not torch.equal(seen[0], seen[3])


def test_the_loss_has_the_mixed_targets():
    (task, _), batch = _task(mixup=1.0), _batch()
    logits = torch.randn(4, 5, 1, 2, 2)
    task.net.forward = lambda clips: logits
    loss = task.training_step(batch, 0)
    with drawing(task._seed, 0, 0, 0, device=CPU):
        _, targets = task.training_logits(batch, task._augmentation)
    logs = logits.double().log_softmax(1)
    terms = [-(targets[i].double() * logs[i, :, 0, y, x]).sum() for i, y, x in np.ndindex(4, 2, 2)]
    assert loss.item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)


def test_validation_is_not_augmented():
    batch = _batch()
    views = []
    for options in ({}, EVERYTHING):
        task, seen = _task(**options)
        task.validation_step(batch, 0)
        views += seen
    assert torch.equal(*views)
