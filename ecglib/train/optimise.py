"""Loss, optimizer and the rate of each step."""

import copy
import math
from collections.abc import Callable

import torch
from scipy.special import betaincinv
from torch import Tensor, nn
from torch.nn import functional

from ..augment import AugmentConfig, augment
from .config import TrainConfig

Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Learner:
    """What turns a loss into a step: optimizer, rate of the step, augmentation, one generator."""

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        *,
        y: Tensor,
        groups: Tensor | None = None,
    ) -> None:
        device = y.device
        self.model, self.config, self.device = model, config, device
        self.averaged = copy.deepcopy(model) if config.average else None
        self.n_steps = 0
        self.weights = None
        if config.epoch_windows:
            self.weights = balanced_weights(y, groups, classes=config.class_weights)
        n_windows = config.epoch_windows or len(y)
        self.optimizer = make_optimizer(model, config)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.n_batches = math.ceil(n_windows / config.batch_size)
        self.augmentation = AugmentConfig(
            names=config.augment,
            probability=config.augment_probability,
            n_features=config.n_features,
            keep_padding=config.keep_padding,
        ).times(config.augment_strength)

    def draw(self, n_windows: int) -> Tensor:
        """Rows for an epoch: every window once, or as many as asked for, drawn with balance."""
        if self.weights is None:
            return torch.randperm(n_windows, generator=self.generator, device=self.device)
        return torch.multinomial(
            self.weights, self.config.epoch_windows, replacement=True, generator=self.generator
        )

    def rate(self, step: int) -> float:
        """Set and return the learning rate of a step, counted from 0 over all epochs."""
        lr = learning_rate(step, n_steps=self.n_batches * self.config.epochs, config=self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def vary(self, x: Tensor) -> Tensor:
        """The batch with the augmentation of the configuration."""
        return augment(x, fs=self.config.fs, generator=self.generator, config=self.augmentation)

    def mix(self, x: Tensor, *, loss_fn: Loss) -> tuple[Tensor, Loss]:
        """Blend each window with another one; return the blends and the loss they are judged by.

        The loss is blended as the windows are, and a window's own share, alike in the whole
        batch, is at least a half (Zhang 2018, arXiv:1710.09412).
        """
        here = {"generator": self.generator, "device": self.device}
        partner = torch.randperm(len(x), **here)
        place = torch.rand(1, **here, dtype=torch.float64).item()
        share = float(betaincinv(self.config.mixup, self.config.mixup, place))
        share = max(share, 1 - share)

        def judge(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            own, own_weight = loss_fn(logits, labels)
            other, other_weight = loss_fn(logits, labels[partner])
            if self.weights is not None:  # drawn in balance already
                own_weight = other_weight = torch.ones_like(own)
            own_weight, other_weight = share * own_weight, (1 - share) * other_weight
            weight = own_weight + other_weight
            return (own_weight * own + other_weight * other) / weight, weight

        return x.lerp(x[partner], 1 - share), judge

    def step(self, loss: Tensor) -> None:
        """One step against the gradient."""
        self.optimizer.zero_grad()
        loss.backward()
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.n_steps += 1
        if self.averaged is not None:
            self._average()

    @property
    def kept(self) -> nn.Module:
        """The network that is measured and kept: the averaged one if there is one."""
        return self.model if self.averaged is None else self.averaged

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights a little towards the new ones (Polyak 1992).

        What one step gets wrong the next ones take back, so that the average lies where many
        trainings would agree. Early on it follows faster.
        """
        decay = min(self.config.average, (1 + self.n_steps) / (10 + self.n_steps))
        new = self.model.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])


def balanced_weights(
    y: Tensor, groups: Tensor | None = None, *, classes: str = "balanced"
) -> Tensor:
    """How likely each window is drawn: classes as asked, groups by the root of their windows.

    A patient with a hundred windows of a class then counts ten times one with a single window:
    long recordings do not drown the others, short ones are not learnt by heart. `y` and `groups`
    have shape (n_windows,); so has the result, which sums to 1.

    Parameters
    ----------
    classes : balanced, root or none
        Classes alike, by the root of their windows, or in proportion to them.
    """
    weights = torch.ones(len(y), dtype=torch.float64, device=y.device)
    if groups is not None:
        _, owner = torch.unique(torch.stack([y, groups]), dim=1, return_inverse=True)
        weights /= torch.bincount(owner)[owner].double().sqrt()
    share = torch.zeros(int(y.max()) + 1, dtype=torch.float64, device=y.device)
    share.index_add_(0, y, weights)
    power = {"balanced": 0.0, "root": 0.5, "none": 1.0}[classes]
    weights *= torch.bincount(y)[y].double() ** power / share[y]
    return weights / weights.sum()


def make_loss(config: TrainConfig, y: Tensor, n_classes: int) -> Loss:
    """A function of (logits, labels) that returns a loss and a weight for each window.

    Balanced weights give each class the same say (King and Zeng 2001), their root goes half the
    way; focal loss lets easy windows fade (Lin 2017, arXiv:1708.02002).
    """
    class_weights = torch.ones(n_classes, device=y.device)
    counts = torch.bincount(y, minlength=n_classes).float()
    if config.class_weights == "balanced":
        class_weights = len(y) / (n_classes * counts)
    elif config.class_weights == "root":
        class_weights = len(y) / (counts.sqrt().sum() * counts.sqrt())  # average 1 over `y`

    def loss_fn(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss = functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=config.label_smoothing
        )
        if config.loss == "focal":
            truth = logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
            loss = loss * (1 - truth) ** config.focal_gamma
        return loss, class_weights[labels]

    return loss_fn


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov 2019, arXiv:1711.05101); norms and biases do not decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)


def freeze_body(model: nn.Module) -> list[nn.Parameter]:
    """Let nothing but the head learn; return the parameters that were learning before.

    Raises
    ------
    ValueError
        When the network has no part called `head`.
    """
    head = getattr(model, "head", None)
    if not isinstance(head, nn.Module):
        raise ValueError(f"need a network with a head to freeze the rest, got {type(model)}")
    kept = {id(p) for p in head.parameters()}
    body = [p for p in model.parameters() if p.requires_grad and id(p) not in kept]
    for parameter in body:
        parameter.requires_grad_(False)
    return body


def hold_statistics(model: nn.Module) -> None:
    """Let batch norms outside the head use the averages they have, and leave those alone."""
    head = set(model.head.modules())
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module not in head:
            module.eval()


def learning_rate(step: int, *, n_steps: int, config: TrainConfig) -> float:
    """Rate of a step: up and down once (Smith 2018, arXiv:1708.07120), or down a cosine."""
    rising = config.warmup * n_steps if config.schedule == "onecycle" else 0.0
    if step < rising:
        return config.lr * (0.04 + 0.96 * (1 - math.cos(math.pi * step / rising)) / 2)
    done = (step - rising) / max(1.0, n_steps - rising)
    return config.lr * max(1e-3, (1 + math.cos(math.pi * done)) / 2)
