"""Recordings of the challenge are read as they are, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.io import loadmat, savemat
from scipy.signal import find_peaks

from ecglib import cinc, paths, signals, splits, synthetic
from ecglib.records import Record

FS = 300.0


def rows(n: int = 3000, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2000, 2000, n).astype(np.int16)


def write(folder: Path, name: str, raw: np.ndarray, *, fs: int = 300) -> None:
    """A recording in the challenge's own form: its headers' checksums are 0."""
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / f"{name}.mat", {"val": raw[None]}, format="4")
    lines = [f"{name} 1 {fs} {len(raw)} 05:05:15 1/05/2000",
             f"{name}.mat 16+24 1000/mV 16 0 {raw[0] if len(raw) else 0} 0 0 ECG"]  # fmt: skip
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


def label(folder: Path, labels: dict[str, str], version: str = "v2") -> None:
    text = "".join(f"{name},{value}\n" for name, value in labels.items())
    (folder / f"REFERENCE-{version}.csv").write_text(text)


@pytest.fixture
def folder() -> Path:
    """Four recordings, the last with the samples of the second."""
    folder = paths.data() / "challenge-2017"
    for i, seed in enumerate([1, 2, 3, 2], 1):
        write(folder, f"A{i:05d}", rows(2700 + 10 * seed, seed=seed))
    for version, labels in {"v2": "NOA~", "v3": "NAA~"}.items():
        label(folder, {f"A{i:05d}": v for i, v in enumerate(labels, 1)}, version)
    return folder


def read() -> list[cinc.CincRecord]:
    return list(cinc.physionet_records())


# reading


def test_samples_are_those_of_two_other_readers_in_millivolt(folder):
    for item in read():
        name = item.record.record
        raw = loadmat(folder / f"{name}.mat")["val"][0]
        np.testing.assert_array_equal(item.record.signal[0], raw.astype(np.float32) / 1000)
        by_wfdb = wfdb.rdrecord(str(folder / name)).p_signal[:, 0]
        np.testing.assert_allclose(item.record.signal[0], by_wfdb, atol=1e-6)
        assert item.record.signal.dtype == np.float32 and item.record.fs == FS
        assert item.duration_s == len(raw) / 300


def test_a_recording_knows_both_versions_of_its_label(folder):
    assert [(item.v2, item.v3) for item in read()] == [*zip("NOA~", "NAA~", strict=True)]


def test_the_later_labels_are_learnt_from_but_not_tested_on(folder):
    learnt = cinc.CincRecord(read()[1].record, "O", "A", "train")
    assert [learnt.label(r) for r in ("v2", "v3", "v3 to learn")] == ["O", "A", "A"]
    for name in ("validation", "test"):
        item = cinc.CincRecord(learnt.record, "O", "A", name)
        assert [item.label(r) for r in ("v2", "v3", "v3 to learn")] == ["O", "A", "O"]


def test_recordings_with_the_same_samples_are_one_patient(folder):
    assert [item.record.patient for item in read()] == ["A00001", "A00002", "A00003", "A00002"]


def test_the_set_is_that_of_the_published_split(folder):
    assert [item.set for item in read()] == splits.published_sets()[:4].tolist()


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda f: label(f, {"A00001": "N"}), r"v2\.csv: need a label for each.*none for A00002"),
        (
            lambda f: label(f, {f"A{i:05d}": "N" for i in range(1, 7)}, "v3"),
            r"v3\.csv: need a recording for each label, got none of A00005, A00006",
        ),
        (
            lambda f: (f / "REFERENCE-v2.csv").write_text(
                (f / "REFERENCE-v2.csv").read_text() + "A00002,A\n"
            ),
            r"v2\.csv: need one label for each recording, got more for A00002",
        ),
        (lambda f: label(f, {"A00001": "AF"}), r"v2\.csv: need a record and one of N, O, A, ~.*AF"),
        (lambda f: (f / "REFERENCE-v3.csv").unlink(), r"v3\.csv: need a table of labels"),
        (lambda f: write(f, "A00002", rows(), fs=250), "A00002: need 300 Hz, got 250 Hz"),
        (lambda f: write(f, "A00002", rows(0)), "A00002: need samples, got none"),
        (lambda f: (f / "A00003.mat").unlink(), r"A00003: missing file A00003\.mat"),
        (lambda f: (f / "A00003.mat").write_bytes(b""), "A00003: need a MATLAB 4 row of 2730"),
        (
            lambda f: (f / "A00003.mat").write_bytes((f / "A00003.mat").read_bytes()[:-2]),
            "A00003: need a MATLAB 4 row of 2730 .* 5482 bytes",
        ),
        (lambda f: (f / "A00003.hea").write_text("A00003 1\n"), "A00003: need a WFDB header"),
    ],
    ids=["no label", "no recording", "twice", "unknown label", "no table", "rate", "empty",
         "no signal", "emptied", "cut short", "header"],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(folder, spoil, says):
    spoil(folder)
    with pytest.raises(ValueError, match=says) as caught:
        read()
    assert "\n" not in str(caught.value)


# windows


def item(n: int, *, of: str = "train", x: np.ndarray | None = None) -> cinc.CincRecord:
    x = rows(n)[None].astype(np.float32) / 1000 if x is None else x
    record = Record(x, FS, ("I",), "A00001", "A00001", "challenge-2017")
    return cinc.CincRecord(record, "N", "N", of)


@pytest.mark.parametrize("of, label, stride", [
    ("train", "N", 1000), ("train", "O", 750), ("validation", "A", 625), ("test", "N", 750),
    ("test", "A", 750), ("train", "~", 750),
])  # fmt: skip
def test_windows_of_five_seconds_follow_each_other_at_the_published_stride(of, label, stride):
    recording = item(9001, of=of)
    signal, start_s = cinc.windows_of(recording, form="windows", label=label)
    first = np.round(start_s * FS).astype(int)
    assert first.tolist() == list(range(0, 9001 - 1500 + 1, stride))
    for window, start in zip(signal, first, strict=True):
        np.testing.assert_array_equal(window, recording.record.signal[:, start : start + 1500])


def test_a_whole_recording_keeps_10_hz_and_loses_drift_and_mains():
    t = np.arange(9000) / FS
    x = np.sin(2 * np.pi * 10 * t) + 3 * np.sin(2 * np.pi * 0.1 * t) + np.sin(2 * np.pi * 60 * t)
    signal, start_s = cinc.whole(np.float32(x)[None], fs=FS)
    assert signal.shape == (1, 1, 4500) and start_s.tolist() == [0.0]
    want = np.sin(2 * np.pi * 10 * np.arange(4500) / 150) / 2  # a second spans two millivolt
    np.testing.assert_allclose(signal[0, 0, 600:-600], want[600:-600], atol=0.03)


def test_the_gain_of_a_recording_and_a_burst_of_noise_do_not_change_its_size():
    x = np.float32(np.sin(2 * np.pi * 7 * np.arange(9000) / FS))[None]
    plain, _ = cinc.whole(x, fs=FS)
    louder, _ = cinc.whole(5 * x, fs=FS)
    np.testing.assert_allclose(louder, plain, atol=1e-4)
    x[:, 6000:6600] *= 20
    burst, _ = cinc.whole(x, fs=FS)
    np.testing.assert_allclose(burst[..., :2400], plain[..., :2400], atol=0.06)
    assert np.abs(burst).max() == cinc.LARGEST  # of the ten times the size that it has


def test_a_silent_recording_stays_silent_and_finite():
    signal, _ = cinc.whole(np.full((1, 3000), 0.7, np.float32), fs=FS)
    assert np.isfinite(signal).all() and np.abs(signal).max() < 1e-3


def test_a_short_recording_is_followed_by_zeros():
    signal, start_s = cinc.whole(item(2714).record.signal, fs=FS)
    assert signal.shape == (1, 1, 4500) and start_s.tolist() == [0.0]
    assert (signal[0, 0, 1357:] == 0).all() and (signal[0, 0, :1357] != 0).all()


@pytest.mark.parametrize("n, first", [
    (9000, [0]), (9002, [0, 1]), (15000, [0, 1500, 3000]), (18286, [0, 1500, 3000, 4500, 4643]),
])  # fmt: skip
def test_a_long_recording_gives_a_window_every_ten_seconds_and_its_last_thirty(n, first):
    x = item(n).record.signal
    signal, start_s = cinc.whole(x, fs=FS)
    assert np.round(start_s * 150).astype(int).tolist() == first
    assert signal.shape == (len(first), 1, 4500)
    for one, next_, step in zip(signal[:-1, 0], signal[1:, 0], np.diff(first), strict=True):
        np.testing.assert_array_equal(next_[:-step], one[step:])


# synthetic recordings


@pytest.fixture(scope="module")
def made():
    return synthetic.wrist_records(n_records=240, seed=3)


def test_every_label_has_its_share(made):
    labels, counts = np.unique([label for _, label in made], return_counts=True)
    assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == {
        "A": 22, "N": 144, "O": 67, "~": 7,
    }  # fmt: skip


@pytest.mark.parametrize("n, least", [(20, 3), (120, 12)])
def test_no_label_is_rare_in_a_small_set(n, least):
    labels, counts = np.unique(
        [label for _, label in synthetic.wrist_records(n_records=n, seed=0)], return_counts=True
    )
    assert labels.tolist() == ["A", "N", "O", "~"]
    assert counts[:3].min() >= least and counts[3] >= 3 and counts.sum() == n


def test_recordings_last_nine_to_sixty_seconds_and_most_of_them_thirty(made):
    lasts = np.array([record.signal.shape[-1] / record.fs for record, _ in made])
    assert lasts.min() >= 9 and lasts.max() <= 60 and np.unique(lasts).size > 20
    assert 0.6 < (lasts == 30).mean() < 0.8
    assert all(record.fs == 300 and record.signal.dtype == np.float32 for record, _ in made)


def test_the_same_seed_gives_the_same_recordings_and_another_seed_others():
    first, again, other = (synthetic.wrist_records(n_records=20, seed=s) for s in (0, 0, 1))
    for (a, one), (b, two) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.signal, b.signal)
        assert one == two
    assert any(
        a.signal.shape != b.signal.shape or (a.signal != b.signal).any()
        for (a, _), (b, _) in zip(first, other, strict=True)
    )


def irregularity(record: Record) -> float:
    """Median change from one R-R interval to the next, as a part of the median interval."""
    x = np.abs(signals.bandpass(record.signal[0], fs=record.fs, low=5, high=25))
    peaks, _ = find_peaks(x, distance=int(0.25 * record.fs), height=0.45 * np.quantile(x, 0.995))
    rr = np.diff(peaks)
    return float(np.median(np.abs(np.diff(rr))) / np.median(rr))


def test_fibrillation_is_irregular_and_normal_rhythm_is_not(made):
    found = {k: [irregularity(r) for r, label in made if label == k] for k in "NA"}
    assert np.median(found["N"]) < 0.06 < 0.12 < np.median(found["A"])
    assert np.mean(np.array(found["A"]) > np.quantile(found["N"], 0.9)) > 0.8


def test_noise_lacks_the_quiet_between_the_beats(made):
    found = {
        k: np.median([signals.narrowness(r.signal[0], fs=FS) for r, y in made if y == k])
        for k in "N~"
    }
    assert found["~"] < found["N"]


def test_sizes_differ_from_recording_to_recording(made):
    sizes = [float(signals.amplitude_mv(r.signal[0], fs=FS)) for r, label in made if label == "N"]
    assert np.quantile(sizes, 0.9) > 3 * np.quantile(sizes, 0.1)


def test_too_few_recordings_are_refused():
    with pytest.raises(ValueError, match="at least 20 recordings, got 19"):
        synthetic.wrist_records(n_records=19, seed=0)
