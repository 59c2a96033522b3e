"""Learning: a configuration, a loop one can read, a checkpoint that resumes to the bit."""

from .config import TrainConfig
from .inputs import choose_device
from .loop import fit, predict, run_epoch
from .optimise import learning_rate

__all__ = ["TrainConfig", "choose_device", "fit", "learning_rate", "predict", "run_epoch"]
