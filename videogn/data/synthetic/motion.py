"""Frames of the synthetic motion data set, as pure functions of a random generator.

Eight classes in four pairs of opposites. Each is a smooth random texture under noise, seen through one motion:

    drift left / drift right                        the texture slides horizontally
    drift up / drift down                           the texture slides vertically
    expand / contract                               an endless zoom: two octaves fade into one another, so that no frame
                                                    is special
    rotate clockwise / rotate counterclockwise      the texture turns about the middle of the frame

Only motion tells opposites apart. At every frame number a single frame of one class is distributed exactly like those
of its opposite, because the texture is stationary on a torus, the zoom's phase is uniform over an octave, and the
angle at which a rotation starts is uniform over the circle. Brightness, contrast, colour, scale of the texture, speed
and noise vary from video to video.

At frame interval 2 next to nothing aliases (the rim of the fastest zooms and rotations may): more frames of the same
span show the same motion, under noise that is new in each. How strong texture and noise are differs widely between
videos, so that the statistics of a few clips say little about those of the next few: what BatchNorm is about when
batches are small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: float64 (H, W, 3), mean 0 and standard deviation 1, periodic in both directions.
Texture = NDArray[np.float64]
Array = NDArray[np.float64]

# Lengths are in pixels of a 64-pixel frame and scale with the frame's size. In two frames a drift moves by less than
# half of the shortest wavelength, and so do a zoom and a rotation half way from the middle to the edge (2 x 1.4 and
# 2 x 1.7 pixels), so that motion itself does not alias at interval 2.
_WAVELENGTHS = (9.6, 22.4)
_SPEEDS = (1.28, 2.24)  # pixels a frame
_ZOOM_PERIODS = (8.0, 16.0)  # frames for a factor of two
_ROTATION_PERIODS = (60.0, 120.0)  # frames for a full turn
# Near the mean that is subtracted from a network's input. With offsets that differ much from video to video the small
# network with GroupNorm stayed at chance for long; its statistics join channels, between which an offset makes
# differences that a faint texture may be lost in.
_BRIGHTNESSES = (112.0, 118.0)  # grey levels
_CONTRASTS = (7.0, 40.0)  # standard deviation of the texture, grey levels; its logarithm is uniform
_LEAST_NOISE = 2.0  # standard deviation of the noise of every pixel in the clearest videos, grey levels


@dataclass(frozen=True)
class Scene:
    """Properties common to the frames of one video.

    Attributes:
        texture: Moving texture, periodic, twice the size of the frame.
        size: Height and width of the frames in pixels.
        offset: Position of the frame's corner on the texture, (y, x), in pixels.
        phase: Phase of the zoom's octave, or start angle of a rotation in turns; uniform in [0, 1).
        rate: Speed within the range of the motion; uniform in [0, 1).
    """

    texture: Texture
    size: int
    offset: Array
    phase: float
    rate: float


#: (scene, frame index t) -> visible texture, (H, W, 3).
Motion = Callable[[Scene, int], Array]


def _drift(dy: int, dx: int) -> Motion:
    def draw(scene: Scene, t: int) -> Array:
        pixels = _between(_SPEEDS, scene.rate) * scene.size / 64 * t
        # The content moves by (+dy, +dx): the window moves the other way.
        return _window(scene.texture, scene.offset - np.array([dy, dx]) * pixels, scene.size)

    return draw


def _zoom(direction: int) -> Motion:
    def draw(scene: Scene, t: int) -> Array:
        octaves = scene.phase + direction * t / _between(_ZOOM_PERIODS, scene.rate)
        lower = int(np.floor(octaves))
        seen = np.zeros((scene.size, scene.size, 3))
        for octave in (lower, lower + 1):
            log_scale = octaves - octave  # in [-1, 1): a layer lives for two octaves and is strongest in the middle
            weight = np.cos(0.5 * np.pi * log_scale)  # squares add up to 1: the contrast stays
            corner = scene.offset + octave * np.array([37.3, 91.7])  # another part of the texture for each layer
            seen += weight * _window(scene.texture, corner, scene.size, scale=2.0**log_scale)
        return seen

    return draw


def _rotate(direction: int) -> Motion:
    def draw(scene: Scene, t: int) -> Array:
        turns = scene.phase + direction * t / _between(_ROTATION_PERIODS, scene.rate)
        return _turned_window(scene.texture, scene.offset, scene.size, 2 * np.pi * turns)

    return draw


#: Class name -> its motion; opposites stand next to one another. Names have spaces, as Kinetics' have.
MOTIONS: dict[str, Motion] = {
    "drift left": _drift(0, -1),
    "drift right": _drift(0, 1),
    "drift up": _drift(-1, 0),
    "drift down": _drift(1, 0),
    "expand": _zoom(1),
    "contract": _zoom(-1),
    "rotate clockwise": _rotate(1),
    "rotate counterclockwise": _rotate(-1),
}


def draw_video(
    motion: Motion, *, size: int, num_frames: int, rng: np.random.Generator, noise: float = 90.0
) -> NDArray[np.uint8]:
    """Draw one video.

    Args:
        motion: Value of `MOTIONS`.
        size: Height and width in pixels.
        num_frames: Number of frames, N.
        rng: Random generator for all randomness of the video.
        noise: Largest standard deviation of the noise of a pixel, in grey levels. Default: 90.

    Returns:
        RGB frames, uint8 (N, H, W, 3).
    """
    wavelength = rng.uniform(*_WAVELENGTHS) * size / 64
    scene = Scene(
        texture=_texture(2 * size, wavelength, rng),
        size=size,
        offset=rng.uniform(0, 2 * size, 2),
        phase=rng.random(),
        rate=rng.random(),
    )
    brightness = rng.uniform(*_BRIGHTNESSES)
    contrast = np.exp(rng.uniform(*np.log(_CONTRASTS)))
    deviation = rng.uniform(_LEAST_NOISE, noise)
    frames = np.empty((num_frames, size, size, 3), np.uint8)
    for t in range(num_frames):
        grain = rng.standard_normal((size, size, 1), dtype=np.float32)  # grey: chroma is stored at half size
        frames[t] = np.clip(brightness + contrast * motion(scene, t) + deviation * grain, 0, 255).round()
    return frames


def _between(limits: tuple[float, float], fraction: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * fraction


def _texture(size: int, wavelength: float, rng: np.random.Generator) -> Texture:
    """Band-limited Gaussian noise on a torus, in one octave of wavelengths from `wavelength` up, tinted at random."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij"))  # cycles a pixel
    band = (frequency <= 1 / wavelength) & (frequency >= 0.5 / wavelength)
    spectrum = np.fft.fft2(rng.standard_normal((2, size, size))) * band
    grey, colour = np.fft.ifft2(spectrum).real  # (size, size) each
    tint = rng.normal(0, 0.35, 3)
    texture = grey[..., None] / grey.std() + colour[..., None] / colour.std() * tint
    return texture / texture.std()


def _window(texture: Texture, corner: Array, size: int, scale: float = 1.0) -> Array:
    """`size` x `size` pixels of a periodic texture from `corner` on, bilinear, magnified about the middle."""
    period = texture.shape[0]
    steps = (np.arange(size) - (size - 1) / 2) / scale + (size - 1) / 2
    seen = texture
    for axis in (0, 1):
        position = corner[axis] + steps
        low = np.floor(position).astype(int)
        weight = position - low
        shape = [1, 1, 1]
        shape[axis] = size
        weight = weight.reshape(shape)
        seen = seen.take(low % period, axis) * (1 - weight) + seen.take((low + 1) % period, axis) * weight
    return seen


def _turned_window(texture: Texture, corner: Array, size: int, angle: float) -> Array:
    """`size` x `size` pixels, bilinear, after the content turned clockwise by `angle` (radians) about the middle."""
    period = texture.shape[0]
    middle = (size - 1) / 2
    y, x = np.meshgrid(np.arange(size) - middle, np.arange(size) - middle, indexing="ij")
    # Rows count downwards. What is seen at (y, x) after the turn lay there turned back.
    row = corner[0] + middle + np.cos(angle) * y - np.sin(angle) * x
    column = corner[1] + middle + np.sin(angle) * y + np.cos(angle) * x
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    seen = np.zeros((size, size, 3))
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.abs(1 - down - (row - top)) * np.abs(1 - across - (column - left))
        seen += weight[..., None] * texture[(top + down) % period, (left + across) % period]
    return seen
