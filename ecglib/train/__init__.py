"""Learning: a configuration, a loop one can read, a checkpoint that resumes to the bit."""

from .config import TrainConfig
from .epoch import predict, run_epoch
from .inputs import choose_device
from .loop import Training, fit
from .optimise import learning_rate

__all__ = [
    "TrainConfig",
    "Training",
    "choose_device",
    "fit",
    "learning_rate",
    "predict",
    "run_epoch",
]
