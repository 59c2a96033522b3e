"""Loss, optimizer and the rate of each step."""

import copy
import math
from collections.abc import Callable

import torch
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
        self.weights = balanced_weights(y, groups) if config.epoch_windows else None
        n_windows = config.epoch_windows or len(y)
        self.optimizer = make_optimizer(model, config)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.n_batches = math.ceil(n_windows / config.batch_size)
        self.augmentation = AugmentConfig(
            names=config.augment, probability=config.augment_probability
        )

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


def balanced_weights(y: Tensor, groups: Tensor | None = None) -> Tensor:
    """How likely each window is drawn: classes alike, groups by the root of their windows.

    A patient with a hundred windows of a class then counts ten times one with a single window:
    long recordings do not drown the others, short ones are not learnt by heart. `y` and `groups`
    have shape (n_windows,); so has the result, which sums to 1.
    """
    weights = torch.ones(len(y), dtype=torch.float64, device=y.device)
    if groups is not None:
        _, owner = torch.unique(torch.stack([y, groups]), dim=1, return_inverse=True)
        weights /= torch.bincount(owner)[owner].double().sqrt()
    share = torch.zeros(int(y.max()) + 1, dtype=torch.float64, device=y.device)
    share.index_add_(0, y, weights)
    weights /= share[y]
    return weights / weights.sum()


def make_loss(config: TrainConfig, y: Tensor, n_classes: int) -> Loss:
    """A function of (logits, labels) that returns a loss and a weight for each window.

    Balanced weights give each class the same say (King and Zeng 2001); focal loss lets easy
    windows fade (Lin 2017, arXiv:1708.02002).
    """
    class_weights = torch.ones(n_classes, device=y.device)
    if config.class_weights == "balanced":
        class_weights = len(y) / (n_classes * torch.bincount(y, minlength=n_classes).float())

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


def learning_rate(step: int, *, n_steps: int, config: TrainConfig) -> float:
    """Rate of a step: up and down once (Smith 2018, arXiv:1708.07120), or down a cosine."""
    rising = config.warmup * n_steps if config.schedule == "onecycle" else 0.0
    if step < rising:
        return config.lr * (0.04 + 0.96 * (1 - math.cos(math.pi * step / rising)) / 2)
    done = (step - rising) / max(1.0, n_steps - rising)
    return config.lr * max(1e-3, (1 + math.cos(math.pi * done)) / 2)
