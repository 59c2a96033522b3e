"""Windows so small that a network learns them in a moment."""

from pathlib import Path

import numpy as np
import pandas as pd

from ecglib import datasets

FS, N_SAMPLES = 250.0, 250
KINDS = {  # rhythm: label, row of the AHA's table
    "NSR": (0, "NSR"),
    "VF": (1, "coarse VF"),
    "VT": (-1, "other VT"),
}
DEALT = ("NSR", "VF", "NSR", "VF", "VT", "NSR", "VF")  # of each patient, a second each


def windows(folder: Path, *, n_patients: int = 12, seed: int = 0) -> datasets.Windows:
    """Two leads of `DEALT` for every patient, in two databases; kept in `folder`."""
    rng = np.random.default_rng(seed)
    rows, signals = [], []
    t = np.arange(N_SAMPLES) / FS
    for patient in range(n_patients):
        for lead in (0, 1):
            for start, rhythm in enumerate(DEALT):
                label, aha = KINDS[rhythm]
                wave = np.sin(2 * np.pi * (4 * t + rng.random())) * {0: 0.2, 1: 1, -1: 0.6}[label]
                signals.append(wave + 0.1 * rng.normal(size=N_SAMPLES))
                name = f"{patient:02d}"
                about = {"database": "ab"[patient % 2], "record": name, "patient": name}
                rows.append(about | {"lead": lead, "start_s": float(start), "rhythm": rhythm})
                for labels in datasets.LABELS:
                    rows[-1] |= {labels: label, f"aha_{labels}": aha}
    table = pd.DataFrame(rows)
    amplitude = np.ptp(signals, axis=1)
    table = table.assign(
        rate_per_min=240.0, amplitude_mv=amplitude, organisation=amplitude / 3, narrowness=0.3
    )
    made = datasets.Windows(
        signal=np.float32(signals)[:, None],
        label=table["annotated"].to_numpy(np.int64),
        table=table,
        fs=FS,
        classes=datasets.SHOCK_CLASSES,
        task="shock",
        parameters={"source": "synthetic", "seed": seed, "n_patients": n_patients},
    )
    datasets.write_windows(made, folder / "tiny.parquet")
    return datasets.with_labels(datasets.read_windows(folder / "tiny.parquet"), "annotated")
