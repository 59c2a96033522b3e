"""Filters, windows and measures on signals whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglib import signals

FS = 250.0
T = np.arange(int(4 * FS)) / FS


def tone(hertz: float, *, fs: float = FS, seconds: float = 4.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * fs)) / fs)


def test_a_ten_hertz_tone_survives_the_band_pass_and_drift_does_not():
    kept = signals.bandpass(tone(10, seconds=20), fs=FS)[1000:-1000]
    drift = signals.bandpass(tone(0.05, seconds=60), fs=FS)[2000:-2000]
    assert np.ptp(kept) == pytest.approx(2, rel=0.02)
    assert np.ptp(drift) < 0.02


def test_mains_are_filtered_out():
    assert np.ptp(signals.bandpass(tone(60, seconds=10), fs=FS)[500:-500]) < 0.2


@pytest.mark.parametrize("band", [(0, 40), (40, 0.5), (0.5, 125), (0.5, 200)])
def test_a_band_that_does_not_fit_is_refused(band):
    with pytest.raises(ValueError, match="0 < low < high < fs/2"):
        signals.bandpass(tone(10), fs=FS, low=band[0], high=band[1])


def test_nan_is_refused_before_it_spreads():
    x = tone(10)
    x[5] = np.nan
    with pytest.raises(ValueError, match="1 NaN"):
        signals.bandpass(x, fs=FS)


def test_resampling_keeps_a_slow_tone_and_removes_what_would_alias():
    slow = signals.resample(tone(5, fs=360), fs=360, new_fs=250)
    fast = signals.resample(tone(150, fs=360), fs=360, new_fs=250)
    np.testing.assert_allclose(slow[100:-100], tone(5)[100 : len(slow) - 100], atol=0.01)
    assert np.abs(fast[100:-100]).max() < 0.02


def test_a_rate_that_is_no_ratio_is_refused():
    with pytest.raises(ValueError, match="ratio"):
        signals.resample(tone(5), fs=250, new_fs=250.00123)


@given(
    start=st.integers(0, 500),
    n=st.integers(0, 3000),
    length=st.integers(1, 1000),
    stride=st.integers(1, 1000),
)
def test_windows_lie_inside_their_stretch(start, n, length, stride):
    starts = signals.window_starts(start, start + n, length=length, stride=stride)
    assert len(starts) == max(0, (n - length) // stride + 1)
    if len(starts):
        assert starts[0] == start
        assert starts[-1] + length <= start + n


def test_cutting_keeps_leads_apart():
    x = np.stack([np.arange(100.0), -np.arange(100.0)])
    w = signals.cut(x, [0, 50], length=10)
    assert w.shape == (2, 2, 10)
    np.testing.assert_array_equal(w[1, 1], -np.arange(50.0, 60.0))


def test_a_window_that_leaves_the_record_is_refused():
    with pytest.raises(ValueError, match="inside 100 samples"):
        signals.cut(np.zeros((1, 100)), [95], length=10)


def test_one_artefact_does_not_pass_for_the_amplitude():
    x = 0.25 * tone(4)
    x[10] = 20.0
    assert signals.amplitude_mv(x, fs=FS) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("per_min", [100, 140, 180, 240, 300])
def test_the_rate_of_a_wave_is_measured(per_min):
    x = tone(per_min / 60) + 0.05 * np.random.default_rng(0).normal(size=len(T))
    assert signals.rate_per_min(x, fs=FS) == pytest.approx(per_min, rel=0.03)


def test_silence_has_no_rate():
    assert signals.rate_per_min(np.zeros((3, 1000)), fs=FS).tolist() == [0, 0, 0]


def test_a_regular_rhythm_is_organised_and_noise_is_not():
    noise = np.random.default_rng(1).normal(size=len(T))
    assert signals.organisation(tone(3), fs=FS) > 0.9
    assert signals.organisation(noise, fs=FS) < 0.3


def test_narrow_complexes_stay_near_the_baseline_and_a_sine_does_not():
    spikes = np.exp(-(((T % 0.8) - 0.4) ** 2) / (2 * 0.01**2))
    assert signals.narrowness(spikes, fs=FS) > 0.85
    assert signals.narrowness(tone(3), fs=FS) == pytest.approx(0.26, abs=0.03)


def test_the_longest_flat_stretch_is_found():
    x = np.random.default_rng(2).normal(size=1000)
    x[100:350] = x[100]
    assert signals.longest_flat_s(x, fs=FS) == pytest.approx(249 / FS)
    assert signals.longest_flat_s(np.zeros(1000), fs=FS) == pytest.approx(999 / FS)


@pytest.mark.parametrize("measure", [signals.rate_per_min, signals.organisation])
def test_a_second_is_too_short_to_measure(measure):
    with pytest.raises(ValueError, match="two seconds"):
        measure(np.zeros(250), fs=FS)
