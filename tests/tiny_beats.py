"""A handful of five kinds of beats, so plain that a network learns them in a moment."""

import numpy as np
import pandas as pd

from ecglib import datasets

CLASSES = ("N", "S", "V", "F", "Q")


def beats(*, n: int = 400, n_samples: int = 64, n_patients: int = 8, seed: int = 0):
    """Bumps whose place tells the class, half of them N."""
    rng = np.random.default_rng(seed)
    label = np.r_[np.arange(5), rng.choice(5, n - 5, p=[0.5, 0.15, 0.15, 0.1, 0.1])]
    t = np.arange(n_samples) / n_samples
    signal = np.exp(-((t - 0.15 - 0.15 * label[:, None]) ** 2) / 0.005)
    signal = signal + 0.3 * rng.normal(size=signal.shape)
    patient = np.arange(n) % n_patients
    table = pd.DataFrame({"database": "synthetic", "record": [f"{p:02d}" for p in patient]})
    table["patient"] = table["record"]
    table["start_s"] = np.arange(n, dtype=float)
    table["rhythm"] = np.array(CLASSES)[label]
    table["lead"] = 0
    about = {"source": "synthetic", "seed": seed, "n": n, "n_samples": n_samples}
    return datasets.Windows(
        signal=np.float32(signal)[:, None],
        label=label.astype(np.int64),
        table=table,
        fs=125.0,
        classes=CLASSES,
        task="heartbeats",
        parameters=about | {"labels": "annotated"},
    )
