"""Small sets of recordings and runs that nobody trained, for the tests of exercise 05."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from ecglib import datasets, splits
from ecglib.rhythms import study
from ecglib.runs import Run

CLASSES = ("N", "O", "A")
QUICK = {"epochs": 2, "batch_size": 16}


def recordings(
    form: str = "windows", *, n: int = 300, classes: tuple[str, ...] = CLASSES, version: int = 0
) -> datasets.Windows:
    """`n` records of six classes to three of N, two of O, one of A, each of one to five windows."""
    share = [3, 2, 1, 1][: len(classes)]
    label = np.random.default_rng(7).permutation(np.resize(np.repeat(range(len(share)), share), n))
    times = 1 + np.arange(n) % 5 if form == "windows" else np.ones(n, int)
    record = np.repeat(np.arange(n), times)
    place = np.concatenate([np.arange(t) for t in times])
    fs, n_samples = (300.0, 1500) if form == "windows" else (150.0, 4500)
    part = np.random.default_rng(8).permutation(n) % 10
    table = pd.DataFrame({
        "database": "challenge-2017",
        "record": [f"A{r:05d}" for r in record],
        "patient": [f"A{r:05d}" for r in record],
        "start_s": place * 5.0,
        "rhythm": np.array(classes)[label[record]],
        "v2": np.array(classes)[label[record]],
        "lead": 0,
        "set": np.array(["test", "test", "validation", *["train"] * 7])[part[record]],
        "windows_in_record": times[record],
    })  # fmt: skip
    return datasets.Windows(
        signal=np.broadcast_to(np.float32(0), (len(table), 1, n_samples)),
        label=label[record],
        table=table,
        fs=fs,
        classes=classes,
        task="rhythms",
        parameters={
            "source": "synthetic", "labels": "annotated", "form": form, "version": version
        },
    )  # fmt: skip


def a_run(
    windows: datasets.Windows, *, seed: int = 0, noise: float = 1.5, tilt: float = 0.0,
    model: str = "smaller_resnet_4x2", sure: float = 1.0, **settings: object,
) -> Run:  # fmt: skip
    """A run nobody trained: the truth with noise; `tilt` holds O and A back, `sure` loudens train.

    `protocol` as a setting divides by fold number instead of the column `set`.
    """
    rng = np.random.default_rng(seed)
    n, n_classes = len(windows), len(windows.classes)
    z = 2.0 * np.eye(n_classes)[windows.label] + rng.normal(0, noise, (n, n_classes))
    z -= np.linspace(0, tilt, n_classes)
    split = windows.table["set"].to_numpy()
    protocol = str(settings.get("protocol", ""))
    if protocol.startswith("fold"):
        split = np.full(n, "train", dtype="<U10")
        for name, rows in splits.protocol(windows.table, protocol).items():
            split[rows] = name
    z[split == "train"] += sure * np.eye(n_classes)[windows.label[split == "train"]]
    about = {"row": np.arange(n), "split": split, "label": windows.label}
    about |= {"patient": windows.table["patient"].to_numpy()}
    about |= {"score": softmax(z, axis=1)[:, -1].astype(np.float32)}
    logits = {f"logit_{i}": z[:, i].astype(np.float32) for i in range(n_classes)}
    history = pd.DataFrame({"epoch": [1, 2], "validation_loss": [0.5, 0.4], "seconds": [2.0, 3.0]})
    made = study.config(windows, model, seed=seed, **(QUICK | settings))
    return Run(made, Path("nowhere"), history, pd.DataFrame(about | logits), 1000)
