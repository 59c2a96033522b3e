"""Folders of synthetic recordings in every format, as somebody's own could look.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import wfdb
import yaml

from ecglib import synthetic

FORMATS = ("wfdb", "edf", "csv", "parquet", "numpy")
RHYTHMS = ("NSR", "AFIB")
FS = 250.0
PATIENT = r"^(?:.*/)?(p\d+)"  # what stands before the recording's letter


def generate(
    folder: str | Path,
    *,
    n_patients: int = 12,
    formats: Sequence[str] = FORMATS,
    seed: int = 0,
    duration_s: float = 60.0,
) -> dict[str, Path]:
    """Write a folder of recordings with labels and settings for each format.

    Each patient gives one recording (``p000_a``) of stretches of sinus rhythm and of atrial
    fibrillation, about half a minute each, the same in all formats. They differ in what the files
    leave unsaid, as real ones do: WFDB has two leads, EDF is in microvolts, CSV has a column of
    the time and states no unit, Parquet states no rate, NumPy files are cut by rhythm into
    sub-folders that are named by their label.
    ``settings.yml`` in each folder says the rest.

    Parameters
    ----------
    folder : is made; a folder of a format must not be there yet
    n_patients : int, at least 1
    formats : of wfdb, edf, csv, parquet, numpy
    duration_s : float, seconds, at least 8

    Returns
    -------
    dict of format → its folder

    Raises
    ------
    ValueError
        If a format is unknown or its folder is there. Nothing is written then.
    """
    folder = Path(folder)
    if not formats or (unknown := sorted(set(formats) - set(FORMATS))):
        got = ", ".join(unknown) if formats else "none"
        raise ValueError(f"need formats out of {', '.join(FORMATS)}, got {got}")
    out = {name: folder / name for name in formats}
    if there := [path for path in out.values() if path.exists()]:
        raise ValueError(f"{there[0]}: need a new folder, there is one")
    made = synthetic.recordings(
        n_patients=n_patients, duration_s=duration_s, fs=FS, seed=seed, rhythms=RHYTHMS,
        leads=("II", "V1"),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        for name in out:
            part = aside / name
            part.mkdir()
            settings = WRITERS[name](part, made)
            settings |= {"classes": list(RHYTHMS), "window_s": 4.0}
            text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
            (part / "settings.yml").write_text(text, encoding="utf-8")
        for name, path in out.items():
            (aside / name).rename(path)
    finally:
        shutil.rmtree(aside)
    return out


Made = Sequence[synthetic.SyntheticRecording]


def _name(number: int) -> str:
    return f"p{number:03d}_a"


def _table(folder: Path, made: Made, suffix: str, *, patients: bool = False) -> None:
    """The table of labels: a row for each stretch of one rhythm."""
    parts = []
    for number, one in enumerate(made):
        part = one.rhythms[["start_s", "end_s"]].round(3)
        part.insert(0, "file", _name(number) + suffix)
        part.insert(1, "label", one.rhythms["rhythm"])
        if patients:
            part["patient"] = f"p{number:03d}"
        parts.append(part)
    pd.concat(parts).to_csv(folder / "labels.csv", index=False)


def _wfdb(folder: Path, made: Made) -> dict:
    for number, one in enumerate(made):
        wfdb.wrsamp(
            _name(number), fs=FS, units=["mV", "mV"], sig_name=list(one.record.leads),
            p_signal=one.record.signal.T.astype(np.float64), fmt=["16", "16"],
            write_dir=str(folder),
        )  # fmt: skip
    _table(folder, made, "")
    return {"lead": "II", "labels": "labels.csv", "patient": PATIENT}


def _edf(folder: Path, made: Made) -> dict:
    for number, one in enumerate(made):
        x = one.record.signal[0].astype(np.float64) * 1e3
        x = x[: int(len(x) / FS) * int(FS)]  # whole seconds
        bound = float(np.ceil(np.abs(x).max()))
        signal = edfio.EdfSignal(
            x, FS, label="II", physical_dimension="uV", physical_range=(-bound, bound)
        )
        edfio.Edf([signal]).write(folder / f"{_name(number)}.edf")
    _table(folder, made, ".edf")
    return {"labels": "labels.csv", "patient": PATIENT}


def _csv(folder: Path, made: Made) -> dict:
    for number, one in enumerate(made):
        x = np.round(one.record.signal[0] * 1e3, 1)
        table = pd.DataFrame({"time_s": np.arange(len(x)) / FS, "II": x})
        table.to_csv(folder / f"{_name(number)}.csv", index=False, float_format="%.6g")
    _table(folder, made, ".csv", patients=True)
    return {"unit": "uV", "labels": "labels.csv", "patient": "patient"}


def _parquet(folder: Path, made: Made) -> dict:
    for number, one in enumerate(made):
        table = pd.DataFrame({"II (mV)": one.record.signal[0]})
        table.to_parquet(folder / f"{_name(number)}.parquet", index=False)
    _table(folder, made, ".parquet")
    return {"rate": FS, "labels": "labels.csv", "patient": PATIENT}


def _numpy(folder: Path, made: Made) -> dict:
    for number, one in enumerate(made):
        for part, row in enumerate(one.rhythms.itertuples(index=False)):
            inside = folder / row.rhythm
            inside.mkdir(exist_ok=True)
            a, b = round(row.start_s * FS), round(row.end_s * FS)
            name = f"p{number:03d}_{'abcdefghijklmnopqrstuvwxyz'[part % 26]}{part // 26 or ''}"
            np.save(inside / f"{name}.npy", one.record.signal[0, a:b], allow_pickle=False)
    return {"rate": FS, "unit": "mV", "labels": "folders", "patient": PATIENT}


WRITERS = {"wfdb": _wfdb, "edf": _edf, "csv": _csv, "parquet": _parquet, "numpy": _numpy}
