"""Beats are cut at their R peaks, named after the AAMI, and know the intervals around them."""

import numpy as np
import pandas as pd
import pytest

from ecglib import beats, datasets, fetch, paths, synthetic
from ecglib.records import Record

FS = 360.0


def marked(
    time_s=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), *, symbol="N", length_s: float = 8.0, ds: str = "DS1"
) -> beats.Beats:
    """A tooth of 1 mV, 40 ms wide, at each time on a line at 0.2 mV, with a dip to 0 behind it."""
    t = np.arange(int(length_s * FS)) / FS
    x = np.full(len(t), 0.2)
    for at in time_s:
        x += 0.8 * np.maximum(0, 1 - np.abs(t - at) / 0.02)
        x -= 0.2 * np.maximum(0, 1 - np.abs(t - at - 0.1) / 0.02)
    record = Record(np.float32(x)[None], FS, ("II",), "mitdb-100", "100", "mitdb")
    symbol = [symbol] * len(time_s) if len(symbol) == 1 else list(symbol)
    return beats.Beats(record, pd.DataFrame({"time_s": time_s, "symbol": symbol}), ds)


def cut(form: str = "kachuee", **options) -> tuple[np.ndarray, pd.DataFrame, dict]:
    return beats.windows_of(marked(**options), form=form)


def test_every_beat_but_the_last_of_a_record_has_a_row():
    signal, table, counted = cut()
    assert len(signal) == len(table) == 5
    assert table["time_s"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert counted["last of a record"] == 1


@pytest.mark.parametrize(
    "symbols, name",
    [("NLRej", "N"), ("AaJS", "S"), ("VE", "V"), ("F", "F"), ("/fQ", "Q")],
)
def test_symbols_become_the_classes_of_the_aami(symbols, name):
    for symbol in symbols:
        _, table, _ = cut(symbol=symbol)
        assert set(table["rhythm"]) == {name}
        assert set(table["symbol"]) == {symbol}


def test_the_two_halves_and_the_paced_records_make_up_the_database():
    named = {*beats.DS1, *beats.DS2, *beats.PACED}
    assert len(beats.DS1) == len(beats.DS2) == 22
    assert len(named) == 48


# as in the published tables


def test_a_beat_starts_at_its_r_peak_and_spans_0_to_1():
    signal, _, _ = cut()
    assert signal.shape == (5, 1, 187) and signal.dtype == np.float32
    np.testing.assert_allclose(signal[:, 0, 0], 1.0, atol=0.03)
    assert (signal.min(axis=-1) == 0).all() and (signal.max(axis=-1) == 1).all()


def test_a_beat_lasts_one_and_a_fifth_of_the_median_interval():
    signal, _, _ = cut()
    assert (signal[:, 0, :149] > 0).sum(axis=-1).min() >= 145  # the dips touch 0
    assert (signal[:, 0, 150:] == 0).all()
    assert (np.abs(signal[:, 0, 149] - 0.2) < 0.05).all()


def test_one_early_beat_does_not_change_the_length_of_the_others():
    steady, _, _ = cut()
    early, _, _ = cut(time_s=(1.0, 2.0, 2.6, 4.0, 5.0, 6.0))
    assert (steady[0, 0, 149] > 0) and (early[0, 0, 149] > 0) and early[0, 0, 150] == 0


def test_the_next_r_peak_is_in_the_row():
    signal, _, _ = cut()
    assert (np.abs(signal[:, 0, 124:127].max(axis=-1) - 1) < 0.05).all()


def test_slow_beats_are_cut_at_187_samples_and_fast_ones_padded():
    slow, _, _ = cut(time_s=(1.0, 3.0, 5.0), length_s=7)
    fast, _, _ = cut(time_s=(1.0, 1.4, 1.8, 2.2), length_s=4)
    assert (slow[0, 0, 180:] > 0).all()
    assert (fast[:, 0, 60:] == 0).all() and (fast[:, 0, 59] > 0).all()


def test_the_end_of_a_record_ends_a_row():
    signal, _, _ = cut(time_s=(1.0, 2.0, 3.0), length_s=2.5)
    assert (signal[1, 0, 64:] == 0).all() and np.isfinite(signal).all()


def test_a_flat_stretch_gives_zeros_and_no_nan():
    record = Record(np.zeros((1, 2880), np.float32), FS, ("II",), "p", "r", "mitdb")
    frame = pd.DataFrame({"time_s": [1.0, 2.0, 3.0], "symbol": "N"})
    signal, _, _ = beats.windows_of(beats.Beats(record, frame), form="kachuee")
    assert (signal == 0).all()


def test_offset_and_gain_of_a_record_do_not_matter_to_the_scaled_form():
    one = marked()
    other = beats.Beats(
        Record(3 * one.record.signal - 5, FS, ("II",), "p", "r", "mitdb"), one.beats
    )
    a, b = (beats.windows_of(m, form="kachuee")[0] for m in (one, other))
    np.testing.assert_allclose(a, b, atol=1e-5)


# with what surrounds them


def test_three_seconds_lie_around_the_r_peak():
    signal, table, _ = cut("context")
    assert signal.shape == (5, 1, 375)
    assert (signal[1:4, 0].argmax(axis=-1) % 125 == 187 % 125).all()
    np.testing.assert_allclose(signal[2, 0, 187], signal[2, 0].max(), rtol=0.05)
    np.testing.assert_allclose(table["start_s"], table["time_s"] - 187 / 125)


def test_context_is_in_millivolt_without_the_offset():
    signal, _, _ = cut("context")
    assert 0.3 < signal[2, 0, 187] < 0.9  # a tooth this narrow loses height to the band's edge
    assert abs(np.median(signal[2, 0])) < 0.1


def test_hum_above_the_band_neither_stays_nor_folds_back():
    quiet = marked()
    t = np.arange(quiet.record.signal.shape[-1]) / FS
    noisy = quiet.record.signal + np.float32(np.sin(2 * np.pi * 115 * t))  # 10 Hz when folded
    record = Record(noisy, FS, ("II",), "p", "r", "mitdb")
    a, _, _ = beats.windows_of(quiet, form="context")
    b, _, _ = beats.windows_of(beats.Beats(record, quiet.beats), form="context")
    assert np.abs(a - b)[2].max() < 0.03


def test_beats_at_the_edges_see_the_record_mirrored_and_are_counted():
    signal, _, counted = cut("context")
    assert counted["mirrored"] == 1  # the record begins a second before the first R peak
    begin = 187 - 125
    before, after = signal[0, 0, begin - 40 : begin], signal[0, 0, begin + 1 : begin + 41]
    np.testing.assert_allclose(before, after[::-1], atol=1e-6)


def test_samples_marked_invalid_become_zero():
    one = marked()
    x = one.record.signal.copy()
    x[0, 1000:1100] = np.nan
    record = Record(x, FS, ("II",), "p", "r", "mitdb")
    for form in datasets.BEAT_FORMS:
        assert np.isfinite(beats.windows_of(beats.Beats(record, one.beats), form=form)[0]).all()


# intervals


def test_the_intervals_before_and_after_a_beat():
    _, table, _ = cut(time_s=(1.0, 2.0, 2.6, 4.0, 5.0, 6.0))
    assert np.isnan(table["rr_prev_s"][0])
    np.testing.assert_allclose(table["rr_prev_s"][1:], [1.0, 0.6, 1.4, 1.0])
    np.testing.assert_allclose(table["rr_next_s"], [1.0, 0.6, 1.4, 1.0, 1.0])


def test_the_intervals_beyond_those():
    _, table, _ = cut(time_s=(1.0, 2.0, 2.6, 4.0, 5.0, 6.0))
    assert table["rr_prev2_s"][:2].isna().all() and np.isnan(table["rr_next2_s"][4])
    np.testing.assert_allclose(table["rr_prev2_s"][2:], [1.0, 0.6, 1.4])
    np.testing.assert_allclose(table["rr_next2_s"][:4], [0.6, 1.4, 1.0, 1.0])


def test_the_measure_of_a_record_is_that_of_all_its_intervals():
    _, table, _ = cut(time_s=1 + np.r_[0, np.cumsum(np.linspace(0.6, 1.0, 11))], length_s=12)
    for name, want in (("low", 0.64), ("mid", 0.8), ("high", 0.96)):
        np.testing.assert_allclose(table[f"rr_{name}_s"], want)


def test_a_stretch_without_marks_does_not_count_as_an_interval_of_the_record():
    _, table, _ = cut(time_s=(1.0, 2.0, 3.0, 13.0, 14.0), length_s=16)
    np.testing.assert_allclose(table["rr_high_s"], 1.0)
    assert table["rr_prev_s"][3] == pytest.approx(10.0)


# synthetic patients


def test_synthetic_patients_have_all_classes_and_two_halves():
    made = list(beats.synthetic_records(n_patients=8, seed=0))
    kinds = [set(m.beats["symbol"]) for m in made]
    assert kinds[-1] == {"/"} and made[-1].ds == ""
    assert all(k == {"N", "S", "V", "F", "Q"} for k in kinds[:-1])
    assert [m.ds for m in made[:4]] == ["DS1", "DS2", "DS1", "DS2"]


def test_a_synthetic_supraventricular_beat_comes_early_and_a_ventricular_one_is_wide():
    windows = datasets.heartbeat_windows(
        source="synthetic", form="context", n_patients=7, progress=False
    )
    table = windows.table
    ratio = (table["rr_prev_s"] / table["rr_mid_s"]).groupby(table["rhythm"]).median()
    assert ratio["S"] < 0.9 < ratio["N"] and ratio["V"] < 0.9
    near = np.abs(windows.signal[:, 0, 162:213])
    width = (near > 0.5 * near.max(axis=-1, keepdims=True)).sum(axis=-1)
    width = pd.Series(width).groupby(table["rhythm"]).median()
    assert width["V"] > 1.3 * width["N"] and abs(width["S"] - width["N"]) <= 2


def test_the_same_seed_gives_the_same_beats_and_the_first_patients_stay():
    first, more, other = (
        synthetic.beat_records(n_patients=n, seed=s) for n, s in ((2, 0), (3, 0), (2, 1))
    )
    np.testing.assert_array_equal(first[1][0].signal, more[1][0].signal)
    assert not np.array_equal(first[1][0].signal, other[1][0].signal)


def test_no_patients_are_refused():
    with pytest.raises(ValueError, match="at least one patient, got 0"):
        synthetic.beat_records(n_patients=0, seed=0)


# the real database


@pytest.mark.real
def test_the_classes_of_the_database_add_up_to_those_of_the_published_tables(monkeypatch):
    monkeypatch.delenv("ECGLIB_DATA")
    if not fetch.available("mitdb"):
        pytest.skip(f"needs mitdb in {paths.data()}")
    rows = [beats.describe(m).iloc[:-1] for m in beats.physionet_records()]
    table = pd.concat(rows, ignore_index=True)
    counts = table["rhythm"].value_counts().to_dict()
    assert counts == {"N": 90_589, "S": 2_779, "V": 7_236, "F": 803, "Q": 8_039}
    assert table["patient"].nunique() == 47
    assert set(table.loc[table["ds"] == "", "record"]) == set(beats.PACED)
