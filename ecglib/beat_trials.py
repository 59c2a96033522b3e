"""Exercise 04's experiments as tables: how a network is trained by default, and what is changed.

Nothing here is run: `ecglib.beat_study` makes configurations of it. Chapter: exercise 04,
"Training" and "Feedback loops".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecglib.runs import RunConfig

PREVIOUS = ("course_2d", "course_transformer")  # the start models that the course hands out
FAMILIES = (*PREVIOUS, "se_resnet", "gru_attention", "transformer", "spectrogram_cnn")
MODEL = "se_resnet"
LINEAR = "linear"  # what `MODEL` votes with between patients

# How the course's notebooks train, and how everything else is trained here.
COURSE = {"class_weights": "none", "weight_decay": 0.0, "schedule": "cosine", "lr": 1e-3}
USUAL = {"class_weights": "none", "average": 0.99, "lr": 5e-3, "augment_strength": 0.3}
AUGMENT = {  # by number of samples: a row starts at the R peak and ends in zeros
    187: ("stretch", "noise"),
    375: ("scale", "speed", "noise", "baseline_wander"),
}
SHAPE = {375: {"se_resnet": {"first_stride": 4}, "transformer": {"stride": 8}}}  # twice as long
EPOCH_BEATS = 24_000  # drawn for an epoch where there are several times as many: most are N
INTER = {  # few patients: trust nothing too much, vary a lot, stop early
    "class_weights": "root",
    "label_smoothing": 0.1,
    "lr": 2e-3,
    "augment_strength": 1.0,
    "epoch_windows": 10_000,
}
NUMBERS = {"lr": 0.05, "label_smoothing": 0.0, "augment": ()}  # a few weights, far to go
PTB = {"class_weights": "balanced", "lr": 2e-3, "batch_size": 64}
INPUT_NAMES = {
    "signal": "",
    "rr": " with R-R",
    "rr+template": " with R-R and template",
    "rr+late": " with R-R and late beats",
}
HOW = ("from scratch", "frozen", "fine-tuned")  # ways to learn the PTB table


@dataclass(frozen=True)
class Trial:
    """A deliberate run of the manual exploration: what is believed, changed and looked at."""

    hypothesis: str
    change: dict  # keywords of `config`, and `model`
    against: str  # the trial that it is compared with; none if empty
    metric: str = "macro_recall"  # what the hypothesis speaks of
    sign: int = 1  # -1 where the hypothesis expects less


HAND = {
    "course 2-D": Trial(
        "a beat folded into 16 × 12 pixels is enough for the common classes",
        {"model": "course_2d", **COURSE, "augment": ()},
        against="",
    ),
    "course 1-D": Trial(
        "read in order, a beat tells more than folded",
        {"model": "course_transformer", **COURSE, "augment": ()},
        against="course 2-D",
    ),
    "residual": Trial(
        "a deeper 1-D network with short cuts sees more than either start model",
        {"model": MODEL},
        against="course 2-D",
        metric="macro_f1",
    ),
    "balanced weights": Trial(
        "the rare classes S and F are missed because they weigh little",
        {"model": MODEL, "class_weights": "balanced"},
        against="residual",
    ),
    "root weights": Trial(
        "full balance costs precision; its square root costs less",
        {"model": MODEL, "class_weights": "root"},
        against="balanced weights",
        metric="macro_f1",
    ),
    "slow": Trial(
        "a third of the rate is too slow for so few epochs",
        {"model": MODEL, "lr": USUAL["lr"] / 3},
        against="residual",
        sign=-1,
    ),
    "fast": Trial(
        "three times the rate learns more in so few epochs",
        {"model": MODEL, "lr": USUAL["lr"] * 3},
        against="residual",
    ),
    "narrow": Trial(
        "half the channels lose rare classes first",
        {"model": MODEL, "arguments": {"width": 16}},
        against="residual",
        sign=-1,
    ),
}

CHANGES = {  # one at a time, around `MODEL` on the published rows
    "root weights": {"class_weights": "root"},
    "balanced weights": {"class_weights": "balanced"},
    "focal loss": {"loss": "focal"},
    "no augmentation": {"augment": ()},
    "stronger augmentation": {"augment_strength": 1.0},
    "label smoothing": {"label_smoothing": 0.05},
    "no averaged weights": {"average": 0.0},
    "mixup": {"mixup": 0.2},
    "R-R intervals": {"inputs": "rr"},
    "half as wide": {"arguments": {"width": 16}},
    "wider by half": {"arguments": {"width": 48}},
    "no channel weights": {"arguments": {"ratio": 0}},
    "no sense of place": {"arguments": {"position": False}},
    "three blocks a stage": {"arguments": {"depth": 3}},
}
INTER_CHANGES = {  # one at a time, around `MODEL` with R-R and template, between patients
    "late beats are typical": {"inputs": "rr+late"},
    "no template": {"inputs": "rr"},
    "signal alone": {"inputs": "signal"},
    "no class weights": {"class_weights": "none"},
    "focal loss": {"loss": "focal"},
    "no augmentation": {"augment": ()},
    "half as wide": {"arguments": {"width": 16}},
    "no channel weights": {"arguments": {"ratio": 0}},
}
LADDER = {  # from the published split to people never seen, one thing at a time
    "same people": ("unpaced", "intra", "signal"),
    "new people": ("unpaced", "inter", "signal"),
    "3 s around the beat": ("context", "inter", "signal"),
    "and R-R intervals": ("context", "inter", "rr"),
    "and the typical beat": ("context", "inter", "rr+template"),
    "typical are late beats": ("context", "inter", "rr+late"),
}


def title(made: RunConfig) -> str:
    """What a page calls the network of a run: its name and what it is shown beside the beat."""
    return made.model + INPUT_NAMES[made.inputs]
