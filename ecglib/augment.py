"""Changes a person's recording could have had, made on whole batches while training.

Each transform takes ``(batch, n_leads, n_samples)`` in millivolt and a generator on the device of
the batch, and returns a new tensor; the same generator state gives the same result.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

STRENGTHS = ("scale", "shift_s", "speed", "wander_mv", "noise_mv", "mains_mv")


@dataclass(frozen=True)
class AugmentConfig:
    """Which transforms, how often and how strong."""

    names: tuple[str, ...] = ("scale", "polarity", "shift", "baseline_wander", "noise", "mains")
    probability: float = 0.5  # of each transform, for each window by itself
    scale: float = 0.7  # gain between exp(-scale) and exp(scale), 0.5 to 2
    shift_s: float = 0.4  # at most, to either side
    speed: float = 0.1  # rate between 1 / (1 + speed) and 1 + speed times its own; of stretch, too
    wander_mv: float = 0.3  # largest amplitude of each disturbance
    noise_mv: float = 0.1
    mains_mv: float = 0.02  # what a band-pass up to 40 Hz leaves of it
    n_features: int = 0  # last leads that are numbers, not signal: left as they are
    keep_padding: bool = False  # zeros behind a short recording stay zeros

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", checked_names(self.names))
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must lie in 0..1, got {self.probability}")
        for name in (*STRENGTHS, "n_features"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    def times(self, strength: float) -> "AugmentConfig":
        """The same with every strength multiplied."""
        return replace(self, **{name: strength * getattr(self, name) for name in STRENGTHS})


def scale(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Multiply by a gain: electrodes and chests differ. One gain for all leads of a window."""
    exponent = config.scale * (2 * _uniform(x, generator) - 1)
    return x * exponent.exp()


def polarity(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Turn the window upside down: electrodes get swapped."""
    return -x


def shift(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Move in time; the end that opens is filled with the mirrored edge, so nothing jumps."""
    last = x.shape[-1] - 1
    most = min(config.shift_s * fs, last)
    offset = ((2 * _uniform(x, generator) - 1) * most).round().long()  # (batch, 1, 1)
    index = torch.arange(last + 1, device=x.device) + offset  # (batch, 1, n_samples)
    index = last - (last - index.abs()).abs()
    return x.gather(-1, index.expand_as(x))


def speed(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Play a little faster or slower around the middle; an end that opens is mirrored."""
    last = x.shape[-1] - 1
    exponent = math.log1p(config.speed) * (2 * _uniform(x, generator) - 1)
    time = torch.arange(last + 1, device=x.device, dtype=x.dtype) - last / 2
    at = (time * exponent.exp() + last / 2).abs()  # (batch, 1, n_samples), in samples
    return _between(x, last - (last - at).abs())


def stretch(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Play faster or slower from the first sample on, where a beat's R peak may lie.

    An end that opens repeats the last sample, which of a padded beat is the padding.
    """
    last = x.shape[-1] - 1
    exponent = math.log1p(config.speed) * (2 * _uniform(x, generator) - 1)
    time = torch.arange(last + 1, device=x.device, dtype=x.dtype)
    return _between(x, (time * exponent.exp()).clamp(max=last))


def baseline_wander(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Add a slow wave of 0.1 to 0.6 Hz: breathing, movement."""
    return x + _wave(x, fs=fs, low=0.1, high=0.6, amplitude=config.wander_mv, generator=generator)


def noise(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Add noise smoothed over about 20 ms (little above 40 Hz is left): muscles."""
    level = config.noise_mv * _uniform(x, generator)
    width = max(1, round(0.02 * fs))
    shape = (*x.shape[:-1], x.shape[-1] + width - 1)
    white = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
    # The mean of `width` samples has a standard deviation of 1 / sqrt(width).
    smooth = torch.nn.functional.avg_pool1d(white, width, stride=1) * math.sqrt(width)
    return x + level * smooth


def mains(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Add hum of 50 or 60 Hz."""
    sixty = _uniform(x, generator) < 0.5
    at = {"fs": fs, "amplitude": config.mains_mv, "generator": generator}
    fifty_hz, sixty_hz = _wave(x, low=50, high=50, **at), _wave(x, low=60, high=60, **at)
    return x + torch.where(sixty, sixty_hz, fifty_hz)


TRANSFORMS: dict[str, Callable[..., Tensor]] = {
    "scale": scale,
    "polarity": polarity,
    "shift": shift,
    "speed": speed,
    "stretch": stretch,
    "baseline_wander": baseline_wander,
    "noise": noise,
    "mains": mains,
}


def augment(x: Tensor, *, fs: float, generator: Generator, config: AugmentConfig) -> Tensor:
    """Apply each transform of `config` to a random part of the batch.

    Parameters
    ----------
    x : tensor, shape (batch, n_leads, n_samples), millivolt
    fs : float, hertz
    generator : torch.Generator
        On the device of `x`.

    Returns
    -------
    tensor, same shape and unit; `x` itself is left as it is
    """
    if config.names and config.n_features:
        signal, numbers = x.tensor_split([x.shape[1] - config.n_features], dim=1)
        rest = replace(config, n_features=0)
        signal = augment(signal, fs=fs, generator=generator, config=rest)
        return torch.cat([signal, numbers], dim=1)
    recorded = _recorded(x) if config.keep_padding else None
    for name in config.names:
        chosen = _uniform(x, generator) < config.probability  # (batch, 1, 1)
        changed = TRANSFORMS[name](x, fs=fs, generator=generator, config=config)
        x = torch.where(chosen, changed, x)
    return x if recorded is None else x * recorded


def checked_names(names: tuple[str, ...] | list[str] | str) -> tuple[str, ...]:
    """Names of transforms as a tuple; ValueError for one that does not exist."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in TRANSFORMS:
            known = ", ".join(TRANSFORMS)
            raise ValueError(f"unknown augmentation {name!r}, expected some of {known}")
    return names


def _uniform(x: Tensor, generator: Generator) -> Tensor:
    """One number in 0..1 for each window, shape (batch, 1, 1)."""
    return torch.rand((len(x), 1, 1), generator=generator, device=x.device, dtype=x.dtype)


def _recorded(x: Tensor) -> Tensor:
    """Where a window is not padding, zeros in all leads up to its end: (batch, 1, n_samples)."""
    seen = (x != 0).any(dim=1, keepdim=True)
    return seen.flip(-1).cummax(dim=-1).values.flip(-1)


def _between(x: Tensor, at: Tensor) -> Tensor:
    """The signals at places between their samples, (batch, 1, n_samples), by straight lines."""
    before = at.floor().clamp(0, x.shape[-1] - 2).long()
    part = (at - before).expand_as(x)
    left, right = (x.gather(-1, (before + i).expand_as(x)) for i in (0, 1))
    return left + part * (right - left)


def _wave(
    x: Tensor, *, fs: float, low: float, high: float, amplitude: float, generator: Generator
) -> Tensor:
    """A sine per window, alike in all leads, of random rate, phase and height: (batch, 1, n)."""
    time_s = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype) / fs
    rate = low + (high - low) * _uniform(x, generator)
    phase = 2 * math.pi * _uniform(x, generator)
    height = amplitude * _uniform(x, generator)
    return height * torch.sin(2 * math.pi * rate * time_s + phase)
