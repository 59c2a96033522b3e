"""Augmentation changes what may differ between recordings, by a stated amount."""

import math
from dataclasses import replace

import pytest
import torch

from ecglib.augment import STRENGTHS, TRANSFORMS, AugmentConfig, augment

FS = 250.0
ALWAYS = AugmentConfig(probability=1.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def change(name, x, *, seed=0, config=ALWAYS):
    return TRANSFORMS[name](x, fs=FS, generator=generator(seed), config=config)


def spectrum_peaks_hz(x):
    power = torch.fft.rfft(x * torch.hann_window(x.shape[-1])).abs()
    return power.argmax(-1) * FS / x.shape[-1]


@pytest.fixture
def windows():
    return torch.randn(64, 2, 1000, generator=generator(9))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_returns_a_new_tensor_of_the_same_kind(name, windows):
    before = windows.clone()
    after = change(name, windows)
    assert after.shape == windows.shape
    assert after.dtype == windows.dtype
    assert torch.equal(windows, before)
    assert not torch.equal(after, before)


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"polarity"}))
def test_the_generator_alone_decides(name, windows):
    assert torch.equal(change(name, windows, seed=1), change(name, windows, seed=1))
    assert not torch.equal(change(name, windows, seed=1), change(name, windows, seed=2))


def test_scale_stays_within_its_bounds_and_keeps_the_leads_in_proportion(windows):
    gain = change("scale", windows) / windows
    torch.testing.assert_close(gain, gain[:, :1, :1].expand_as(gain))
    assert gain.min() >= torch.tensor(-AugmentConfig().scale).exp() - 1e-4
    assert gain.max() <= torch.tensor(AugmentConfig().scale).exp() + 1e-4
    assert gain.min() < 1 < gain.max()


def test_polarity_turns_the_window_upside_down(windows):
    assert torch.equal(change("polarity", windows), -windows)


def test_shift_moves_all_leads_by_the_same_time_and_never_jumps():
    ramp = torch.arange(1000.0).expand(64, 2, -1)
    moved = change("shift", ramp)
    offset = moved[:, :, 500] - 500
    assert torch.equal(offset[:, 0], offset[:, 1])
    assert offset.abs().max() <= 0.4 * FS
    assert offset.min() < 0 < offset.max()
    assert moved.diff(dim=-1).abs().max() == 1


def test_shift_by_more_than_the_window_still_works():
    config = AugmentConfig(shift_s=100.0)
    x = torch.randn(8, 1, 50)
    assert change("shift", x, config=config).isfinite().all()


def test_baseline_wander_is_slow_and_small():
    wander = change("baseline_wander", torch.zeros(64, 1, 10_000))
    assert spectrum_peaks_hz(wander).max() <= 0.65
    assert wander.abs().max() <= AugmentConfig().wander_mv


def test_noise_is_no_louder_than_stated_and_has_little_above_the_pass_band():
    added = change("noise", torch.zeros(256, 1, 1000))
    assert added.std(dim=-1).max() < 1.3 * AugmentConfig().noise_mv
    power = torch.fft.rfft(added).abs().square().mean(dim=(0, 1))
    frequency = torch.fft.rfftfreq(1000, d=1 / FS)
    assert power[frequency > 40].sum() < 0.25 * power.sum()


def test_mains_hums_at_fifty_or_sixty_hertz():
    peaks = spectrum_peaks_hz(change("mains", torch.zeros(64, 1, 1000)))
    assert set(peaks.flatten().tolist()) == {50.0, 60.0}


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_about_the_stated_part_of_the_windows_is_changed(probability):
    x = torch.ones(4000, 1, 8)
    config = AugmentConfig(names=("polarity",), probability=probability)
    turned = (augment(x, fs=FS, generator=generator(), config=config) < 0).float().mean()
    assert turned == pytest.approx(probability, abs=0.03)


def test_leads_that_are_numbers_stay_as_they_are(windows):
    config = AugmentConfig(names=tuple(TRANSFORMS), probability=1.0, n_features=1)
    changed = augment(windows, fs=FS, generator=generator(), config=config)
    assert changed.shape == windows.shape
    assert torch.equal(changed[:, 1], windows[:, 1])
    alone = replace(config, n_features=0)
    expected = augment(windows[:, :1], fs=FS, generator=generator(), config=alone)
    assert torch.equal(changed[:, :1], expected)


def test_stretch_leaves_the_first_sample_where_it_is_and_repeats_the_last():
    ramp = torch.arange(1000.0).expand(64, 2, -1)
    stretched = change("stretch", ramp)
    rate = stretched[:, :, 1]
    assert torch.equal(stretched[:, :, 0], ramp[:, :, 0])
    assert rate.min() >= 1 / 1.1 - 1e-4 and rate.max() <= 1.1 + 1e-4
    assert rate.min() < 0.95 and rate.max() > 1.05
    fast = stretched[rate[:, 0] > 1.05, 0]
    assert (fast[:, -30:] == 999).all()


def test_padding_stays_padding_under_stretch():
    x = torch.rand(64, 1, 187)
    x[..., 120:] = 0
    stretched = change("stretch", x)
    assert not stretched[..., 134:].any()
    assert stretched[..., :105].all()


def test_no_names_means_no_change(windows):
    config = AugmentConfig(names=())
    assert augment(windows, fs=FS, generator=generator(), config=config) is windows


def test_an_unknown_augmentation_is_answered_with_the_names():
    with pytest.raises(ValueError, match=r"unknown augmentation 'mixup', expected some of scale"):
        AugmentConfig(names=("scale", "mixup"))


@pytest.mark.parametrize("bad", [{"probability": 1.5}, {"noise_mv": -0.1}])
def test_a_strength_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        AugmentConfig(**bad)


def test_speed_changes_the_rate_within_its_bounds():
    time = torch.arange(1000) / 250
    x = torch.sin(2 * math.pi * 5 * time).expand(64, 1, 1000)
    config = AugmentConfig(names=("speed",), probability=1.0, speed=0.1)
    y = augment(x, fs=250.0, generator=torch.Generator().manual_seed(0), config=config)
    rate = torch.fft.rfft(y[..., 100:-100], 8000).abs().argmax(-1)[:, 0] * 250 / 8000
    assert 5 / 1.11 < rate.min() < 4.8
    assert 5.2 < rate.max() < 5.56


def test_every_strength_can_be_multiplied_at_once():
    half = AugmentConfig(n_features=3).times(0.5)
    assert all(getattr(half, s) == getattr(AugmentConfig(), s) / 2 for s in STRENGTHS)
    assert (half.n_features, half.probability) == (3, 0.5)


def test_padding_behind_a_short_recording_stays_zero_where_that_is_asked(windows):
    windows[:32, :, 600:] = 0
    windows[:, :, 100:120] = 0  # silence inside is no padding
    changed = augment(
        windows, fs=FS, generator=generator(), config=replace(ALWAYS, keep_padding=True)
    )
    assert not changed[:32, :, 600:].any()
    assert changed[32:, :, 600:].any() and changed[:, :, 100:120].any()
    loose = augment(windows, fs=FS, generator=generator(), config=ALWAYS)
    assert loose[:32, :, 600:].any()
