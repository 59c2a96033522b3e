"""Short recordings of one lead, as the PhysioNet/CinC Challenge 2017 gives them, and windows.

A recording has one label: N (normal), A (atrial fibrillation), O (other rhythm) or ~ (noise), in
two versions, v2 and the later v3. Source: Clifford et al., Computing in Cardiology 44:1, 2017.
Chapter: exercise 05, "Data".
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglib import paths, signals, splits, synthetic
from ecglib.records import Record

DATABASE = "challenge-2017"
FS = 300.0  # hertz
LABELS = ("N", "O", "A", "~")  # in the order of the classes
VERSIONS = ("v2", "v3")
SHORTEST_S = 5.0  # what is shorter is left out, whatever the form of the windows
N_WINDOW = 1500  # samples of a window of the published form: five seconds
STRIDES = {"N": 1000, "O": 750, "A": 625, "~": 750}  # samples, by label, to learn from
TEST_STRIDE = 750
RECORD_FS = 150.0  # hertz, of whole recordings
N_RECORD = 4500  # samples of a window of a whole recording: thirty seconds
RECORD_STRIDE = 1500  # samples: ten seconds
FAINTEST_MV = 0.01  # no recording is magnified as if it were smaller
LARGEST = 5.0  # in units of a recording's size; what exceeds it is no heartbeat
RULES = {  # what shapes the windows; a change of the code that cuts them raises the version
    "windows": {
        "version": 1, "fs": FS, "n_samples": N_WINDOW, "strides": STRIDES,
        "test_stride": TEST_STRIDE, "shortest_s": SHORTEST_S,
    },
    "records": {
        "version": 1, "fs": RECORD_FS, "n_samples": N_RECORD, "stride": RECORD_STRIDE,
        "band_hz": [0.5, 40.0], "scaled_by": "median peak to peak of a second",
        "faintest_mv": FAINTEST_MV, "largest": LARGEST, "shortest_s": SHORTEST_S,
    },
}  # fmt: skip

_NAME = re.compile(r"A\d{5}")
_INT16 = 30  # the type of a MATLAB 4 matrix of 16-bit integers, first byte lowest


@dataclass(frozen=True)
class CincRecord:
    """A recording, both versions of its label, and its set in the published split."""

    record: Record  # signal (1, n_samples), millivolt, 300 Hz
    v2: str
    v3: str
    set: str  # train, validation or test

    def label(self, reference: str) -> str:
        """The label by `v2`, by `v3`, or by `v3 to learn`: v3 in the training set, else v2."""
        if reference == "v3 to learn":
            return self.v3 if self.set == "train" else self.v2
        return {"v2": self.v2, "v3": self.v3}[reference]

    @property
    def duration_s(self) -> float:
        return self.record.signal.shape[-1] / self.record.fs


def physionet_records() -> Iterator[CincRecord]:
    """Every recording of the challenge's folder with its labels, in order.

    Recordings with the same samples belong to one patient, who is named after the first of them.

    Raises
    ------
    ValueError
        Naming file or record: no label for a recording or the reverse, an unknown label, a file
        that is missing or damaged, another sampling rate, no samples.
    """
    folder = paths.data() / DATABASE
    names = sorted(header.stem for header in folder.glob("*.hea"))
    labels = {v: _labels(folder / f"REFERENCE-{v}.csv", names) for v in VERSIONS}
    sets = splits.published_sets()
    owners: dict[bytes, str] = {}
    for name in names:
        if not _NAME.fullmatch(name) or not 1 <= int(name[1:]) <= len(sets):
            raise ValueError(f"record {name}: need a name from A00001 to A{len(sets):05d}")
        raw, gain = _read(folder / name)
        owner = owners.setdefault(hashlib.sha256(raw.tobytes()).digest(), name)
        signal = raw[None].astype(np.float32) / np.float32(gain)
        record = Record(signal, FS, ("I",), owner, name, DATABASE)
        own = {version: labels[version][name] for version in VERSIONS}
        yield CincRecord(record, **own, set=str(sets[int(name[1:]) - 1]))


def synthetic_records(*, n_records: int, seed: int) -> Iterator[CincRecord]:
    """Synthetic recordings, eight tenths of every label to train, a tenth each for the rest."""
    made = synthetic.wrist_records(n_records=n_records, seed=seed)
    sets = splits.stratified_sets([label for _, label in made], seed=seed)
    for (record, label), name in zip(made, sets, strict=True):
        yield CincRecord(record, label, label, str(name))


def windows_of(
    item: CincRecord, *, form: str, label: str
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Cut one recording of at least five seconds.

    Parameters
    ----------
    form : windows or records
        windows: 1,500 samples at 300 Hz, millivolt, unfiltered, as the published networks see
        them; a shorter rest at the end is dropped. records: see `whole`.
    label : str
        Which stride a recording to learn from has, N 1,000, O 750, A 625 samples, so that the
        classes come closer in number; 750 for all of the published test set.

    Returns
    -------
    signal : array, shape (n_windows, 1, n_samples)
    start_s : array, shape (n_windows,), seconds
    """
    if form == "records":
        return whole(item.record.signal, fs=item.record.fs)
    x = item.record.signal
    stride = TEST_STRIDE if item.set == "test" else STRIDES[label]
    starts = signals.window_starts(0, x.shape[-1], length=N_WINDOW, stride=stride)
    return signals.cut(x, starts, length=N_WINDOW), starts / item.record.fs


def in_its_own_size(x: NDArray, *, fs: float) -> NDArray[np.float32]:
    """A recording (1, n_samples), millivolt, as `whole` shows it before it is cut."""
    y = signals.bandpass(signals.resample(x, fs=fs, new_fs=RECORD_FS), fs=RECORD_FS)
    size = np.maximum(signals.amplitude_mv(y, fs=RECORD_FS), FAINTEST_MV)
    return np.clip(y / size[:, None], -LARGEST, LARGEST).astype(np.float32)


def whole(x: NDArray, *, fs: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Windows of thirty seconds at 150 Hz, 0.5 to 40 Hz, divided by the recording's own size.

    The size is the median peak-to-peak amplitude of its seconds (`signals.amplitude_mv`), which a
    burst of noise does not change: how well the electrodes sat is no sign of a rhythm. What
    exceeds five times the size, motion as a rule, is cut off there. A shorter
    recording is followed by zeros; a longer one gives a window every ten seconds and a last one
    that ends with it.

    Parameters
    ----------
    x : array, shape (1, n_samples), millivolt

    Returns
    -------
    signal : array, shape (n_windows, 1, 4500), without unit; about 1 from peak to peak, within ±5
    start_s : array, shape (n_windows,), seconds
    """
    y = in_its_own_size(x, fs=fs)
    n = y.shape[-1]
    if n <= N_RECORD:
        return np.pad(y, ((0, 0), (0, N_RECORD - n)))[None], np.zeros(1)
    starts = np.append(np.arange(0, n - N_RECORD, RECORD_STRIDE), n - N_RECORD)
    return signals.cut(y, starts, length=N_RECORD), starts / RECORD_FS


def _labels(path: Path, names: list[str]) -> dict[str, str]:
    """Label by record; ValueError if they are not those of these recordings."""
    try:
        rows = [line.split(",") for line in path.read_text(errors="replace").split()]
    except FileNotFoundError:
        raise ValueError(f"{path}: need a table of labels, there is no such file") from None
    for row in rows:
        if len(row) != 2 or row[1] not in LABELS:
            got = ",".join(row)
            raise ValueError(f"{path}: need a record and one of {', '.join(LABELS)}, got {got!r}")
    found = dict(rows)
    if twice := [name for name, n in Counter(name for name, _ in rows).items() if n > 1]:
        raise ValueError(f"{path}: need one label for each recording, got more for {_some(twice)}")
    if missing := sorted(set(names) - set(found)):
        raise ValueError(f"{path}: need a label for each recording, got none for {_some(missing)}")
    if missing := sorted(set(found) - set(names)):
        raise ValueError(f"{path}: need a recording for each label, got none of {_some(missing)}")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read(path: Path) -> tuple[NDArray[np.int16], float]:
    """The samples (n_samples,) of a recording and their number to the millivolt.

    The signal file is a MATLAB 4 matrix `val` of one row. The headers' checksums are all 0, which
    a strict reader of WFDB refuses: hence a reader of its own.
    """
    name = path.name
    try:
        first, second = path.with_name(f"{name}.hea").read_text().splitlines()[:2]
        n_leads, fs, n_samples = (float(part) for part in first.split()[1:4])
        gain, unit = second.split()[2].split("/")
        gain = float(gain)
    except (ValueError, OSError) as error:
        raise ValueError(f"record {path}: need a WFDB header of one lead ({error})") from None
    if fs != FS:
        raise ValueError(f"record {path}: need {FS:g} Hz, got {fs:g} Hz")
    if n_leads != 1 or unit != "mV" or gain <= 0:
        raise ValueError(f"record {path}: need one lead in mV, got {n_leads:g} and {second!r}")
    if n_samples == 0:
        raise ValueError(f"record {path}: need samples, got none")
    try:
        content = path.with_name(f"{name}.mat").read_bytes()
    except FileNotFoundError:
        raise ValueError(f"record {path}: missing file {name}.mat") from None
    about = np.frombuffer(content[:20].ljust(20, b"\0"), "<i4").tolist()
    need = [_INT16, 1, int(n_samples), 0]
    start = 20 + max(about[4], 0)
    if about[:4] != need or len(content) < start + 2 * need[2]:
        raise ValueError(
            f"record {path}: need a MATLAB 4 row of {need[2]} 16-bit samples in {name}.mat, got "
            f"type {about[0]}, shape {about[1]} x {about[2]}, {len(content)} bytes"
        )
    return np.frombuffer(content, "<i2", need[2], start), gain
