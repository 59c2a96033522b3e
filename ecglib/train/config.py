"""How a network learns, in one frozen dataclass."""

from dataclasses import asdict, dataclass, field, fields

from ..augment import checked_names

SCHEDULES = ("onecycle", "cosine")
LOSSES = ("cross_entropy", "focal")
CLASS_WEIGHTS = ("balanced", "root", "none")
KEEPS = ("best", "last")
DEVICES = ("auto", "cpu", "cuda")


def later(default: object) -> object:
    """A field that earlier runs did not have, see `entries`."""
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class TrainConfig:
    """How a network learns."""

    fs: float = 250.0  # hertz, of the windows; the augmentation needs it
    epochs: int = 20
    epoch_windows: int = 0  # windows drawn for an epoch, by class_weights and group; 0: all once
    batch_size: int = 128
    lr: float = 3e-3  # the highest rate of the schedule
    weight_decay: float = 1e-2  # on weight matrices and filters only
    schedule: str = "onecycle"
    warmup: float = 0.2  # part of all steps that "onecycle" spends rising
    loss: str = "cross_entropy"
    focal_gamma: float = 2.0  # how much "focal" turns away from easy windows
    class_weights: str = "balanced"
    label_smoothing: float = 0.0
    clip_norm: float = 1.0  # longest gradient; 0 leaves it
    average: float = 0.0  # decay a step of the weights' running mean; 0: the weights as they are
    patience: int = 0  # epochs without a better validation loss before stopping; 0 never stops
    augment: tuple[str, ...] = ()
    augment_probability: float = 0.5
    seed: int = 0  # order of the windows, dropout, augmentation
    device: str = "auto"
    augment_strength: float = later(1.0)  # times what `AugmentConfig` says of each transform
    mixup: float = later(0.0)  # of the Beta distribution that pairs are blended by; 0 blends none
    freeze: bool = later(False)  # only the head learns
    n_features: int = later(0)  # last leads that are numbers, not signal: never augmented
    half: bool = later(False)  # learn with half the bits on a CPU, too; on a GPU it is always so
    keep_padding: bool = later(False)  # augmentation leaves zeros behind a short recording
    keep: str = later("best")  # the epoch with the lowest validation loss, or the last

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", checked_names(self.augment))
        choices = {
            "schedule": SCHEDULES,
            "loss": LOSSES,
            "class_weights": CLASS_WEIGHTS,
            "keep": KEEPS,
            "device": DEVICES,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        for name in ("fs", "epochs", "batch_size", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        not_negative = ("weight_decay", "focal_gamma", "clip_norm", "patience", "epoch_windows")
        for name in (*not_negative, "augment_strength", "mixup", "n_features"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("warmup", "label_smoothing", "augment_probability", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")


def entries(config: object) -> dict[str, object]:
    """The fields of a configuration by name, without later ones that were left as they are.

    A field that did not exist when a run was made counts only where it is used, so that run keeps
    its id and its checkpoint. Such fields are made with `later`.
    """
    content = asdict(config)
    for one in fields(config):
        if one.metadata.get("later") and content[one.name] == one.default:
            del content[one.name]
    return content
