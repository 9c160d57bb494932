"""Pictures that move: the frames of the synthetic motion data set, as pure functions of a random generator.

Eight classes in four pairs of opposites. Each is a smooth random texture seen through one change over time:

    drift left / drift right      the texture slides horizontally
    drift up / drift down         it slides vertically
    expand / contract             an endless zoom: two octaves fade into one another, so that no frame is special
    pulse / flicker               the brightness follows A cos(w t + p), slowly, or at w + pi, changing sign every frame

Only motion tells opposites apart. At every frame number a single frame of one class is distributed exactly like those
of its opposite, because the texture is stationary on a torus, the zoom's phase is uniform over an octave, and the
pulse's phase p is uniform over the circle. Brightness, contrast, colour, scale of the texture, speed and noise vary
from video to video.

`pulse` and `flicker` alias at frame interval 2: cos((w + pi) (t0 + 2k) + p) = cos(w (t0 + 2k) + p + pi t0), the same
function with another uniform phase. A clip at interval 2 cannot tell them apart, one at interval 1 can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: float64 (H, W, 3), mean 0 and standard deviation 1, periodic in both directions.
Texture = NDArray[np.float64]
Array = NDArray[np.float64]

# Lengths are in pixels of a 64-pixel frame and scale with the frame's size. The shortest wavelength is more than twice
# the largest step between two frames at interval 2 (2 x 2.0 pixels), so that motion itself does not alias there.
_WAVELENGTHS = (10.0, 24.0)
_SPEEDS = (0.75, 2.0)  # pixels a frame
_ZOOM_PERIODS = (16.0, 40.0)  # frames for a factor of two
_PULSE_PERIODS = (10.0, 24.0)  # frames
_PULSE_AMPLITUDES = (12.0, 35.0)  # grey levels
_BRIGHTNESSES = (85.0, 170.0)  # grey levels
_CONTRASTS = (12.0, 50.0)  # standard deviation of the texture, grey levels
_NOISES = (0.0, 40.0)  # standard deviation of the noise of every pixel, grey levels


@dataclass(frozen=True)
class Scene:
    """What is common to the frames of one video.

    Attributes:
        texture: what moves, periodic, twice the frame's size.
        size: height and width of the frames, pixels.
        offset: where on the texture the frame's corner lies, (y, x), pixels.
        phase: uniform in [0, 1): of the zoom's octave and of the pulse.
        rate: uniform in [0, 1): how fast, within the motion's own range.
        strength: uniform in [0, 1): how strong a pulse is.
    """

    texture: Texture
    size: int
    offset: Array
    phase: float
    rate: float
    strength: float


#: Draws frame t: -> (texture as seen (H, W, 3), added brightness in grey levels).
Motion = Callable[[Scene, int], tuple[Array, float]]


def _drift(dy: int, dx: int) -> Motion:
    def draw(scene: Scene, t: int) -> tuple[Array, float]:
        pixels = _between(_SPEEDS, scene.rate) * scene.size / 64 * t
        # The content moves by (+dy, +dx): the window moves the other way.
        return _window(scene.texture, scene.offset - np.array([dy, dx]) * pixels, scene.size), 0.0

    return draw


def _zoom(direction: int) -> Motion:
    def draw(scene: Scene, t: int) -> tuple[Array, float]:
        octaves = scene.phase + direction * t / _between(_ZOOM_PERIODS, scene.rate)
        lower = int(np.floor(octaves))
        seen = np.zeros((scene.size, scene.size, 3))
        for octave in (lower, lower + 1):
            log_scale = octaves - octave  # in [-1, 1): a layer lives for two octaves and is strongest in the middle
            weight = np.cos(0.5 * np.pi * log_scale)  # squares add up to 1: the contrast stays
            corner = scene.offset + octave * np.array([37.3, 91.7])  # another part of the texture for each layer
            seen += weight * _window(scene.texture, corner, scene.size, scale=2.0**log_scale)
        return seen, 0.0

    return draw


def _pulse(extra_turn: float) -> Motion:
    def draw(scene: Scene, t: int) -> tuple[Array, float]:
        turns = (1 / _between(_PULSE_PERIODS, scene.rate) + extra_turn) * t + scene.phase
        brightness = _between(_PULSE_AMPLITUDES, scene.strength) * np.cos(2 * np.pi * turns)
        return _window(scene.texture, scene.offset, scene.size), float(brightness)

    return draw


#: Class name -> its motion; opposites stand next to one another. Names have spaces, as Kinetics' have.
MOTIONS: dict[str, Motion] = {
    "drift left": _drift(0, -1),
    "drift right": _drift(0, 1),
    "drift up": _drift(-1, 0),
    "drift down": _drift(1, 0),
    "expand": _zoom(1),
    "contract": _zoom(-1),
    "pulse": _pulse(extra_turn=0.0),
    "flicker": _pulse(extra_turn=0.5),
}


def draw_video(motion: Motion, *, size: int, num_frames: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one video.

    Args:
        motion: a value of MOTIONS.
        size: height and width, pixels.
        num_frames: N.
        rng: source of everything random in the video.

    Returns:
        uint8 (N, H, W, 3), RGB.
    """
    wavelength = rng.uniform(*_WAVELENGTHS) * size / 64
    scene = Scene(
        texture=_texture(2 * size, wavelength, rng),
        size=size,
        offset=rng.uniform(0, 2 * size, 2),
        phase=rng.random(),
        rate=rng.random(),
        strength=rng.random(),
    )
    brightness = rng.uniform(*_BRIGHTNESSES)
    contrast = rng.uniform(*_CONTRASTS)
    noise = rng.uniform(*_NOISES)
    frames = np.empty((num_frames, size, size, 3), np.uint8)
    for t in range(num_frames):
        seen, added = motion(scene, t)
        grain = rng.standard_normal((size, size, 1), dtype=np.float32)  # grey: chroma is stored at half size
        frames[t] = np.clip(brightness + added + contrast * seen + noise * grain, 0, 255).round()
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
