"""Words that the summary uses again and again, and scores as it writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ecglib.chapter import listed, percent

from .table import plain

BEATS = {
    "N": "normal beats",
    "S": "early beats from above the ventricles",
    "V": "beats that start in the ventricles",
    "F": "fusions of normal and ventricular beats",
    "Q": "paced and unreadable beats",
}
PROTOCOLS = ("intra", "inter", "ptb")
# Why a hyper-parameter was worth changing. What it brought is computed.
WHY = {
    "model": "another family of networks reads the same beat in another way",
    "inputs": "an early beat shows in the intervals to its neighbours before it shows in its shape",
    "class_weights": "rare kinds of beat would otherwise hardly count in training",
    "loss": "training should dwell on the beats that are hard",
    "epoch_windows": "rare kinds of beat can be drawn more often instead of weighing more",
    "augment": "small changes of speed and noise stand for people who are not in the data",
    "mixup": "blends of two beats keep the network from being too sure",
    "label_smoothing": "marks can be wrong, so that no answer should be quite sure",
    "average": "the mean of the last weights is steadier than any one of them",
    "width": "a wider network sees more shapes, and costs more to run",
    "hidden": "a wider network sees more shapes, and costs more to run",
    "depth": "more layers see a longer stretch of the beat at once",
    "layers": "more layers see a longer stretch of the beat at once",
    "kernel": "a longer filter sees a whole wave of the beat at once",
    "kernel_size": "a longer filter sees a whole wave of the beat at once",
    "dropout": "a network that works with parts switched off leans on no single one",
    "lr": "the size of a step decides how far training gets in its time",
    "batch_size": "smaller steps are noisier, and noise can help to generalise",
    "weight_decay": "small weights remember less of single people",
    "heads": "several views of the beat side by side",
    "epochs": "rare kinds of beat are learnt last",
    "search": "a program tried what nobody would have the patience to try by hand",
    "start": "what was learnt on one data set can be the start for another",
    "protocol": "a result must hold for people who gave no beat to the training",
    "networks": "several networks that vote err less than one",
}
DATABASES = {
    "mitdb": "the MIT-BIH Arrhythmia Database",
    "ptb": "the table of the PTB database",
    "ptbdb": "the table of the PTB database",
    "course": "the course's own file",
    "kaggle": "the published tables",
    "synthetic": "synthetic recordings",
}
NETWORKS = {
    "course_2d": "the course's 2-D network",
    "course_transformer": "the course's Transformer",
    "se_resnet": "a residual network with squeeze-and-excitation",
    "gru_attention": "a recurrent network with attention",
    "transformer": "a Transformer with rotary positions",
    "spectrogram_cnn": "a 2-D network on spectrograms",
}
MEASURED = (
    "Thresholds, epochs and the choice of network come from validation beats alone. Scores are "
    "computed once over a whole test set; in brackets are 95 % intervals, from drawing people anew."
)
THEMES = {  # what a change of a hyper-parameter is about
    "weights and loss": ("class_weights", "loss", "epoch_windows"),
    "augmentation": ("augment", "augment_strength", "mixup"),
    "regularisation": ("label_smoothing", "average", "dropout", "weight_decay"),
    "R-R intervals": ("inputs",),
    "size": ("width", "hidden", "depth", "layers", "kernel", "kernel_size", "se_ratio", "heads"),
    "training": ("lr", "batch_size", "epochs", "schedule"),
}
MOST_GROUPS = 8
RECALL_FIRST = ", recall"  # behind the name of a network that is decided with recall first
MOST_TILES = 4


def scores_of(metrics: Mapping, protocol: str, model: str) -> dict:
    models = metrics.get("protocols", {}).get(protocol, {}).get("models", {})
    return models.get(model, {}).get("test", {})


def model_of(metrics: Mapping, protocol: str, model: str = "") -> str:
    """The network a protocol is told by: the one asked for, the selected one, else the best.

    The best is that of the highest mean of macro recall and macro F1 on validation beats. Empty
    where the protocol has no network.

    Raises
    ------
    ValueError
        If the network asked for is not there.
    """
    models = metrics.get("protocols", {}).get(protocol, {}).get("models", {})
    if model and models and model not in models:
        raise ValueError(f"need a model of {protocol} ({listed(list(models))}), got {model!r}")
    selected = metrics.get("selected", {})
    if not model and selected.get("protocol", protocol) == protocol:
        model = selected.get("model", "")
    model = model or selected.get(f"{protocol}_model", "")
    plain_ones = {name: m for name, m in models.items() if not name.endswith(RECALL_FIRST)}
    if model in models or not plain_ones:
        return model if model in models else ""

    def merit(name: str) -> float:
        seen = plain_ones[name].get("validation", {})
        return sum(seen.get(score) or 0.0 for score in ("macro_recall", "macro_f1"))

    return max(plain_ones, key=merit)


def known(score: Mapping | None) -> bool:
    value = (score or {}).get("value")
    return value is not None and value == value


def ends_of(score: Mapping) -> tuple[float, float] | None:
    """Both ends of the interval, None where there is none."""
    ends = (score.get("low"), score.get("high"))
    return None if any(end is None or end != end for end in ends) else ends


def range_of(score: Mapping) -> str:
    ends = ends_of(score)
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}" if ends else ""


def shown(score: Mapping, *, bold: bool = False) -> str:
    """``95.3 % (94.3 to 96.3)``."""
    value = f"**{percent(score['value'])}**" if bold else percent(score["value"])
    return value + (f" ({range_of(score)})" if range_of(score) else "")


def apart(a: Mapping, b: Mapping) -> bool | None:
    """Whether the two intervals have nothing in common; None where one is not known."""
    ends = ends_of(a), ends_of(b)
    return None if None in ends else ends[0][0] > ends[1][1] or ends[0][1] < ends[1][0]


def classes_of(test: Mapping) -> list[str]:
    return [name.removeprefix("recall_") for name in test if name.startswith("recall_")]


def called(name: str) -> str:
    """A network in words: ``se_resnet with R-R x3`` is told by its family and the rest."""
    family = name.replace(",", " ").split()[0]
    rest = name[len(family) :].replace(" with R-R", ", which also sees R-R intervals")
    rest = re.sub(r" x(\d+)", r", \1 of them voting", rest)
    rest = rest.replace(" and template", " and the record's typical beat")
    return NETWORKS[family] + rest if family in NETWORKS else plain(name)


def common_fall(before: Mapping, after: Mapping) -> tuple[float, int]:
    """How many points macro recall falls over the kinds that both scores have; and how many."""
    kinds = [c for c in classes_of(before) if known(before.get(f"recall_{c}"))]
    kinds = [c for c in kinds if known(after.get(f"recall_{c}"))]
    falls = [before[f"recall_{c}"]["value"] - after[f"recall_{c}"]["value"] for c in kinds]
    return 100 * sum(falls) / max(len(falls), 1), len(falls)


def reason(group: str, changed: list[str]) -> str:
    """Why a group was tried: by its own name, else by the first hyper-parameter with a reason."""
    named = [name.rsplit(".", 1)[-1] for name in (group, *changed)]
    return next((WHY[name] for name in named if name in WHY), "")
