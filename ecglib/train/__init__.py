"""Learning: a configuration, a loop one can read, a checkpoint that resumes to the bit."""

from .config import TrainConfig
from .epoch import predict, run_epoch
from .inputs import choose_device
from .loop import Training, fit, kept_epoch
from .optimise import learning_rate

__all__ = [
    "TrainConfig",
    "Training",
    "choose_device",
    "fit",
    "kept_epoch",
    "learning_rate",
    "predict",
    "run_epoch",
]
