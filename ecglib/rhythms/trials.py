"""Exercise 05's experiments as tables: published figures, ways to train, what is changed.

Nothing here is run: `ecglib.rhythms.study` makes configurations of it. Chapter: exercise 05,
"Training" and "Feedback loops".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecglib.beat_trials import Trial

if TYPE_CHECKING:
    from ecglib.runs import RunConfig

FAMILY = (
    "basic_cnn",
    "resnet_like_x3",
    "resnet_like_x4",
    "smaller_resnet_4x2",
    "smaller_resnet_4x3",
    "identity_resnet_4x2",
    "identity_resnet_8x2",
    "c1dct",
)
MODEL = "rhythm_net"  # our own
LARGEST = 350_000  # parameters that ours may have
PUBLISHED_FS = 300.0  # hertz, of the windows that the published networks were shown


@dataclass(frozen=True)
class Published:
    """A row of the published results: F1 on the 818 test records."""

    inits: tuple[float, float, float]  # Rand Init 1, 2, 3
    nine: float  # logistic regression on the nine values of all three


PUBLISHED = {  # the other three networks have no row there
    "basic_cnn": Published((0.741, 0.785, 0.765), 0.757),
    "resnet_like_x3": Published((0.715, 0.770, 0.775), 0.787),
    "resnet_like_x4": Published((0.740, 0.777, 0.750), 0.761),
    "smaller_resnet_4x2": Published((0.797, 0.802, 0.795), 0.782),
    "smaller_resnet_4x3": Published((0.796, 0.782, 0.790), 0.802),
}
PUBLISHED_EPOCHS = (132, 260)  # fewest and most
SINGLE_BEST, COMMITTEE_BEST = "identity_resnet_4x2, one network", "smaller_resnet_4x3, nine values"
PUBLISHED_BEST = {  # the best of the published notebooks, class by class
    SINGLE_BEST: {
        "macro_f1": 0.807, "f1_N": 0.891, "f1_O": 0.734, "f1_A": 0.796,
    },
    COMMITTEE_BEST: {
        "macro_f1": 0.802, "f1_N": 0.905, "f1_O": 0.758, "f1_A": 0.745,
    },
}  # fmt: skip
ELSEWHERE = {  # on other records than ours: a mark, not a comparison
    "four winners of 2017": {"macro_f1": 0.83, "test": "hidden"},
    "vote of 45 algorithms": {"macro_f1": 0.87, "test": "hidden"},
    "34-layer ResNet (Hannun et al.)": {
        "macro_f1": 0.866, "f1_N": 0.919, "f1_O": 0.794, "f1_A": 0.885,
        "test": "852 records of its authors' choice",
    },
}  # fmt: skip

# For a small part of the published training: small steps at a high rate, their weights averaged,
# and little dropout, since with half of everything dropped little is learnt in that time.
TRAIN = {
    "epochs": 8,
    "batch_size": 32,
    "lr": 4e-3,
    "class_weights": "none",
    "average": 0.99,
}
PUBLISHED_DROPOUT, PUBLISHED_LR = 0.5, 1e-3
# Of the published networks, for those that a page is asked to train longer. In a short training the
# loss falls to the end, in a long one it does not, and what was said of `OWN` holds.
LONGER = {"times": 5, "keep": "last"}
# Our way with whole recordings. Recordings are still told apart better when the validation loss has
# long stood still, so the last weights are kept, not those of the lowest loss.
OWN = {
    "epochs": 28,
    "batch_size": 64,
    "lr": 2e-3,
    "class_weights": "root",
    "label_smoothing": 0.05,
    "average": 0.99,
    "keep": "last",
    "augment": ("scale", "shift", "baseline_wander", "noise"),
    "keep_padding": True,
}
ATTENTION = {"lr": 2e-3, "warmup": 0.3}  # what a Transformer needs
ARGUMENTS = {(name, "windows"): {"dropout": 0.1} for name in FAMILY} | {  # by network and form
    ("transformer", "windows"): {"stride": 30, "kernel": 15, "width": 64, "position": False},
    ("transformer", "records"): {"stride": 30, "width": 64, "kernel": 15, "position": False},
}
SMALL = {"width": 24, "hidden": 48}  # of our network, where others share its parameters
SECOND, VIEWS = " and measurements", "three views"  # a network with trees, and all three
RESTARTED = {"shared_projection": False, "repaired": True}  # of c1dct
REPAIRED = RESTARTED | {"rotary": True}

# The change names the set (windows if it does not), the model and how many times as many epochs;
# the rest is training.
HAND = {
    "plain": Trial(
        "a plain convolutional network tells rhythms from five seconds",
        {"model": "basic_cnn"},
        against="",
    ),
    "residual": Trial(
        "short cuts and small filters do better with half the parameters",
        {"model": "smaller_resnet_4x2"},
        against="plain",
        metric="macro_f1",
    ),
    "longer": Trial(
        f"the published network gets better if it sees {LONGER['times']} times as many windows",
        {"model": "smaller_resnet_4x2", **LONGER},
        against="residual",
        metric="macro_f1",
    ),
    "root weights": Trial(
        "atrial fibrillation is missed less often if it weighs more",
        {"model": "smaller_resnet_4x2", "class_weights": "root"},
        against="residual",
        metric="recall_A",
    ),
    "half dropped": Trial(
        "with the published dropout so few epochs teach less",
        {"model": "smaller_resnet_4x2", "arguments": {"dropout": PUBLISHED_DROPOUT}},
        against="residual",
        metric="macro_f1",
        sign=-1,
    ),
    "slow": Trial(
        "with the published rate so few epochs teach less",
        {"model": "smaller_resnet_4x2", "lr": PUBLISHED_LR},
        against="residual",
        metric="macro_f1",
        sign=-1,
    ),
    "attention": Trial(
        "a Transformer with one projection for query, key and value learns less",
        {"model": "c1dct"},
        against="residual",
        metric="macro_f1",
        sign=-1,
    ),
    "attention restarted": Trial(
        "the same Transformer, sanely started and with three projections, learns more",
        {"model": "c1dct", "arguments": RESTARTED},
        against="attention",
        metric="macro_f1",
    ),
    "attention with distance": Trial(
        "it learns more once queries and keys know how far apart two tokens lie",
        {"model": "c1dct", "arguments": REPAIRED},
        against="attention restarted",
        metric="macro_f1",
    ),
    "whole recordings": Trial(
        "our network, our way, on whole recordings does better than one of five seconds",
        {"set": "records", "model": MODEL},
        against="longer",
        metric="macro_f1",
    ),
}

CHANGES = {  # one at a time, around `MODEL` on whole recordings
    "labels as first published": {"set": "records v2"},
    "no class weights": {"class_weights": "none"},
    "balanced weights": {"class_weights": "balanced"},
    "focal loss": {"loss": "focal"},
    "no augmentation": {"augment": ()},
    "either way up": {"augment": (*OWN["augment"], "polarity")},
    "faster or slower": {"augment": (*OWN["augment"], "speed")},
    "no label smoothing": {"label_smoothing": 0.0},
    "no averaged weights": {"average": 0.0},
    "mixup": {"mixup": 0.2},
    "a third of the parameters": {"arguments": {"width": 20, "hidden": 32}},
    "two blocks a stage": {"arguments": {"depth": 2}},
    "no channel weights": {"arguments": {"ratio": 0}},
    "average instead of attention": {"arguments": {"pool": "average"}},
    "no waves past the recurrent layer": {"arguments": {"skip": False}},
}
FAMILY_MODEL = "smaller_resnet_4x2"
FAMILY_CHANGES = {  # one at a time, around one of the published networks on five seconds
    "root weights": {"class_weights": "root"},
    "augmentation": {"augment": OWN["augment"]},
    "label smoothing": {"label_smoothing": OWN["label_smoothing"]},
    "no averaged weights": {"average": 0.0},
    "a quarter dropped": {"arguments": {"dropout": 0.25}},
    "all that ours has": {
        name: OWN[name] for name in ("class_weights", "augment", "label_smoothing")
    },
}


def title(made: RunConfig) -> str:
    """What a page calls the network of a run."""
    name = made.model
    if made.arguments.get("repaired"):
        name += " repaired" if made.arguments.get("rotary") else " restarted"
    if made.model == MODEL and SMALL.items() <= made.arguments.items():
        name += " small"
    whole = made.train.fs < PUBLISHED_FS and made.model != MODEL
    return name + (" on recordings" if whole else "")
