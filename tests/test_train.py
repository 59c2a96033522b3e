"""Training is repeatable, resumable, and says what it cannot learn from."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.nn import functional

from ecglib.models import build
from ecglib.train import (
    TrainConfig,
    Training,
    fit,
    kept_epoch,
    learning_rate,
    predict,
    run_epoch,
)
from ecglib.train.optimise import Learner, balanced_weights, make_loss, make_optimizer

QUICK = TrainConfig(fs=250, epochs=4, batch_size=16, device="cpu", augment=("scale", "noise"))
COLUMNS = [
    "epoch",
    "lr",
    "train_loss",
    "validation_loss",
    "train_balanced_accuracy",
    "validation_balanced_accuracy",
    "seconds",
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second core, and lose much when it is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def windows(n, *, seed=0, n_samples=200):
    """Noise, with a 5 Hz wave in every third window: (signals, labels)."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(np.int64)
    wave = np.sin(2 * np.pi * 5 * np.arange(n_samples) / 250 + rng.uniform(0, 6, (n, 1, 1)))
    x = 0.1 * rng.normal(size=(n, 1, n_samples)) + 0.4 * y[:, None, None] * wave
    return x.astype(np.float32), y


def network(name="tiny_cnn", *, seed=0, **arguments):
    return build(name, n_leads=1, n_classes=2, n_samples=200, seed=seed, **arguments)


TRAIN, VALIDATION = windows(50), windows(24, seed=1)
OPPOSITE = TRAIN[0], 1 - TRAIN[1]  # the more a network learns of it, the worse it gets


def learn(model, *, config=QUICK, checkpoint=None, train=TRAIN, validation=VALIDATION):
    return fit(model, train, validation, config=config, checkpoint=checkpoint, progress=False)


def assert_same_weights(one, two):
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key]), key


def kill_after(monkeypatch, n_steps):
    """Let training be interrupted in the middle of an epoch."""
    step, taken = Learner.step, []

    def stop(self, loss):
        taken.append(loss)
        if len(taken) > n_steps:
            raise KeyboardInterrupt
        step(self, loss)

    monkeypatch.setattr(Learner, "step", stop)


@pytest.mark.parametrize("name", ["cnn", "gru", "cnn_gru", "tiny_cnn"])
def test_a_network_learns_what_can_be_learnt(name):
    model = network(name)
    config = replace(QUICK, epochs=10, augment=(), lr=5e-3)
    history = learn(model, config=config, train=windows(120))
    assert history.validation_balanced_accuracy.iloc[-1] > 0.9
    assert history.train_loss.iloc[-1] < history.train_loss.iloc[0]


def test_the_history_has_a_row_for_each_epoch():
    history = learn(network())
    assert list(history.columns) == COLUMNS
    assert history.epoch.tolist() == [1, 2, 3, 4]
    assert np.isfinite(history.to_numpy()).all()
    last_steps = [4 * epoch - 1 for epoch in history.epoch]  # 50 windows are four batches
    assert history.lr.tolist() == [learning_rate(s, n_steps=16, config=QUICK) for s in last_steps]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = network(), network(), network()
    learn(first)
    torch.rand(7)  # what happens outside has no say
    learn(again)
    learn(other, config=replace(QUICK, seed=1))
    assert_same_weights(first, again)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_training_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()
    learn(network())
    assert torch.equal(torch.get_rng_state(), before)


def test_with_half_the_bits_it_learns_nearly_the_same():
    whole, half = network(), network()
    expected, found = learn(whole), learn(half, config=replace(QUICK, half=True))
    assert not torch.equal(whole.head.weight, half.head.weight)
    assert half.head.weight.dtype == torch.float32
    np.testing.assert_allclose(found["train_loss"], expected["train_loss"], rtol=0.1)


@pytest.mark.parametrize("name", ["tiny_cnn", "cnn_lstm"])
@pytest.mark.parametrize("n_steps", [5, 9, 15])
def test_a_killed_training_ends_with_the_weights_of_one_never_killed(
    name, n_steps, tmp_path, monkeypatch
):
    whole, killed, resumed = network(name), network(name), network(name, seed=5)
    config = replace(QUICK, average=0.9)
    expected = learn(whole, config=config)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    with monkeypatch.context() as patch:
        kill_after(patch, n_steps)
        with pytest.raises(KeyboardInterrupt):
            learn(killed, config=config, checkpoint=checkpoint)
    history = learn(resumed, config=config, checkpoint=checkpoint)
    assert_same_weights(whole, resumed)
    pd.testing.assert_frame_equal(
        history.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True
    )
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_a_best_epoch_before_the_kill_is_still_the_best(tmp_path, monkeypatch):
    checkpoint, config = tmp_path / "checkpoint.safetensors", replace(QUICK, lr=0.02, augment=())
    whole, resumed = network(), network(seed=5)
    assert learn(whole, config=config, train=OPPOSITE).validation_loss.idxmin() == 0
    with monkeypatch.context() as patch:
        kill_after(patch, 13)
        with pytest.raises(KeyboardInterrupt):
            learn(network(), config=config, train=OPPOSITE, checkpoint=checkpoint)
    learn(resumed, config=config, train=OPPOSITE, checkpoint=checkpoint)
    assert_same_weights(whole, resumed)


def test_a_finished_training_is_not_done_again(tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.safetensors"
    model, again = network(), network(seed=3)
    history = learn(model, checkpoint=checkpoint)
    kill_after(monkeypatch, 0)
    pd.testing.assert_frame_equal(learn(again, checkpoint=checkpoint), history)
    assert_same_weights(model, again)


def test_a_checkpoint_of_another_configuration_is_refused_by_what_differs(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    learn(network(), checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"lr is 0.003 there, 0.001 here"):
        learn(network(), config=replace(QUICK, lr=1e-3), checkpoint=checkpoint)
    with pytest.raises(ValueError, match="its model differs"):
        learn(network(blocks=2), checkpoint=checkpoint)
    with pytest.raises(ValueError, match="its data differs"):
        learn(network(), checkpoint=checkpoint, train=windows(50, seed=2))


@pytest.mark.parametrize("content", [b"", b"no tensors at all", None])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    checkpoint = tmp_path / "checkpoint.safetensors"
    if content is None:
        save_file({"model/x": torch.zeros(1)}, checkpoint)
    else:
        checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors is not a whole checkpoint"):
        learn(network(), checkpoint=checkpoint)


def test_a_checkpoint_holds_tensors_only(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    learn(network(), checkpoint=checkpoint)
    tensors = load_file(checkpoint)
    assert tensors["random/generator"].dtype == torch.uint8
    assert any(name.endswith("exp_avg") for name in tensors)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_epoch_that_is_kept_is_the_one_that_is_named(keep):
    model, config = network(), replace(QUICK, lr=0.02, epochs=8, augment=(), keep=keep)
    history = learn(model, config=config, train=OPPOSITE)
    assert history.validation_loss.idxmin() < len(history) - 1  # else the test shows nothing
    x, y = (torch.from_numpy(a) for a in VALIDATION)
    loss_fn = make_loss(config, torch.from_numpy(OPPOSITE[1]), 2)
    loss, _ = run_epoch(model, x, y, loss_fn=loss_fn, n_classes=2)
    named = kept_epoch(history, keep)
    assert named["epoch"] == (8 if keep == "last" else history.validation_loss.idxmin() + 1)
    assert loss == pytest.approx(named["validation_loss"], abs=1e-6)


def test_a_class_that_no_window_was_drawn_of_has_no_say_in_balanced_accuracy():
    x, y = torch.from_numpy(windows(8, seed=4)[0]), torch.zeros(8, dtype=torch.long)
    loss_fn = make_loss(QUICK, torch.tensor([0, 1]), 2)
    _, accuracy = run_epoch(network(), x, y, loss_fn=loss_fn, n_classes=2)
    logits = torch.from_numpy(predict(network(), x.numpy()))
    assert accuracy == pytest.approx((logits.argmax(1) == 0).float().mean().item())


def test_early_stopping_waits_as_many_epochs_as_asked():
    history = learn(network(), config=replace(QUICK, lr=0.1, epochs=40, patience=2, augment=()))
    assert len(history) == history.validation_loss.idxmin() + 1 + 2 < 40


def test_measuring_does_not_change_the_model():
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x, y = (torch.from_numpy(a) for a in VALIDATION)
    run_epoch(model, x, y, loss_fn=make_loss(QUICK, y, 2), n_classes=2)
    predict(model, VALIDATION[0])
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())


def test_loss_and_balanced_accuracy_are_those_of_the_whole_set():
    x, y = windows(77, seed=4)
    model = network()
    other = torch.tensor([0] * 60 + [1] * 10)  # weights come from the training set
    weight = torch.tensor([70 / 120, 70 / 20])
    loss, accuracy = run_epoch(
        model,
        torch.from_numpy(x),
        torch.from_numpy(y),
        loss_fn=make_loss(QUICK, other, 2),
        n_classes=2,
        batch_size=10,
    )
    logits = torch.from_numpy(predict(model, x))
    expected = functional.cross_entropy(logits, torch.from_numpy(y), weight=weight)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert accuracy == pytest.approx(balanced_accuracy_score(y, logits.argmax(1)))


def test_balanced_weights_give_each_class_the_same_say():
    y = torch.tensor([0] * 90 + [1] * 10)
    _, weight = make_loss(QUICK, y, 2)(torch.zeros(100, 2), y)
    assert weight[y == 0].sum() == pytest.approx(weight[y == 1].sum().item())
    assert weight.mean() == pytest.approx(1)
    _, even = make_loss(replace(QUICK, class_weights="none"), y, 2)(torch.zeros(100, 2), y)
    assert even.tolist() == [1] * 100


def test_focal_loss_fades_easy_windows_and_is_cross_entropy_without_gamma():
    y, logits = torch.tensor([0, 0]), torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    plain, _ = make_loss(replace(QUICK, class_weights="none"), y, 2)(logits, y)
    config = replace(QUICK, class_weights="none", loss="focal")
    focal, _ = make_loss(config, y, 2)(logits, y)
    truth = logits.softmax(1)[:, 0]
    torch.testing.assert_close(focal, -((1 - truth) ** 2) * truth.log())
    flat, _ = make_loss(replace(config, focal_gamma=0.0), y, 2)(logits, y)
    torch.testing.assert_close(flat, plain)


def test_one_cycle_rises_to_its_peak_and_both_schedules_end_low():
    for schedule, peak in (("onecycle", 20), ("cosine", 0)):
        config = replace(QUICK, schedule=schedule, warmup=0.2)
        rates = [learning_rate(step, n_steps=100, config=config) for step in range(101)]
        assert np.argmax(rates) == peak
        assert max(rates) == pytest.approx(config.lr)
        assert np.all(np.diff(rates[peak:]) <= 0)
        assert 0 < rates[-1] < 0.01 * config.lr


def test_norms_and_biases_do_not_decay():
    model = network("cnn_gru")
    decay, rest = make_optimizer(model, QUICK).param_groups
    assert decay["weight_decay"] == QUICK.weight_decay
    assert rest["weight_decay"] == 0
    assert {id(p) for p in rest["params"]} == {id(p) for p in model.parameters() if p.ndim == 1}
    assert len(decay["params"]) + len(rest["params"]) == len(list(model.parameters()))


def test_a_long_gradient_is_clipped():
    config = replace(QUICK, clip_norm=1.0)
    model = nn.Linear(3, 2)
    learner = Learner(model, config, y=torch.tensor([0, 1] * 4))
    learner.step((1e6 * model(torch.ones(1, 3))).sum())
    norm = math.hypot(*(p.grad.norm().item() for p in model.parameters()))
    assert norm == pytest.approx(1.0, abs=1e-3)


def test_predictions_do_not_depend_on_the_batch():
    model = network()
    logits = predict(model, VALIDATION[0])
    assert logits.shape == (24, 2)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(predict(model, VALIDATION[0], batch_size=5), logits, atol=1e-5)


def test_a_read_only_memory_map_is_learnt_from_without_a_warning(tmp_path):
    np.save(tmp_path / "x.npy", TRAIN[0])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(network(), config=replace(QUICK, epochs=1), train=(mapped, TRAIN[1]))


def spoilt(**changes):
    """The training set with something wrong."""
    x, y = TRAIN[0].copy(), TRAIN[1].copy()
    if "nan" in changes:
        x[changes["nan"], 0, 3] = np.nan
    x = x.reshape(changes.get("shape", x.shape))
    if "label" in changes:
        y[4] = changes["label"]
    if "only" in changes:
        y[:] = changes["only"]
    y = y.astype(changes.get("dtype", y.dtype))[: changes.get("n_labels")]
    return x, y


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nan": 7}, r"signals hold NaN or infinity in 1 of 50 windows, first in window 7"),
        ({"shape": (50, 200)}, r"signals must have shape \(n, n_leads, n_samples\)"),
        ({"shape": (50, 2, 100)}, r"expects \(batch, 1, .* samples\), got \(1, 2, 100\)"),
        ({"label": 2}, r"labels must lie in 0\.\.1, got \[2\]"),
        ({"label": -1}, r"labels must lie in 0\.\.1, got \[-1\]"),
        ({"only": 0}, r"no window of class 1"),
        ({"dtype": float}, r"labels must be whole numbers"),
        ({"n_labels": 49}, r"labels must have shape \(50,\), got \(49,\)"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_either_set(changes, message):
    with pytest.raises(ValueError, match=message):
        learn(network(), train=spoilt(**changes))
    with pytest.raises(ValueError, match=message):
        learn(network(), validation=spoilt(**changes))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"schedule": "steps"}, "unknown schedule 'steps', expected one of onecycle, cosine"),
        ({"loss": "hinge"}, "unknown loss 'hinge', expected one of cross_entropy, focal"),
        ({"class_weights": "sqrt"}, "unknown class_weights 'sqrt'"),
        ({"augment": ("mixup",)}, "unknown augmentation 'mixup'"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"epochs": 0}, "epochs must be above 0"),
        ({"patience": -1}, "patience must not be negative"),
        ({"mixup": -0.1}, "mixup must not be negative"),
        ({"n_features": -1}, "n_features must not be negative"),
        ({"label_smoothing": 1.2}, r"label_smoothing must lie in 0\.\.1"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**bad)


def test_a_diverging_training_says_so():
    with pytest.raises(FloatingPointError, match="in training and .* in validation after epoch 1"):
        learn(network("mlp"), config=replace(QUICK, lr=1e38, clip_norm=0.0, augment=()))


def test_drawing_gives_classes_the_same_say_and_damps_long_recordings():
    y = torch.tensor([0] * 90 + [1] * 10)
    groups = torch.tensor([0] * 81 + [1] * 9 + [2] * 10)
    weights = balanced_weights(y, groups)
    assert weights[y == 0].sum().item() == pytest.approx(0.5)
    assert (weights[groups == 0].sum() / weights[groups == 1].sum()).item() == pytest.approx(3)


@pytest.mark.parametrize(("classes", "share"), [("balanced", 0.5), ("root", 0.25), ("none", 0.1)])
def test_classes_are_drawn_as_their_weights_say(classes, share):
    y = torch.tensor([0] * 90 + [1] * 10)
    weights = balanced_weights(y, classes=classes)
    assert weights[y == 1].sum().item() == pytest.approx(share)


def test_an_epoch_can_be_shorter_than_the_set():
    x, y = torch.randn(200, 1, 64).numpy(), np.array([0, 1] * 100)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    seen = []
    model.register_forward_hook(lambda *a: seen.append(len(a[1][0])) if model.training else None)
    fit(model, (x, y), (x, y), config=TrainConfig(epochs=1, epoch_windows=50), progress=False)
    assert sum(seen) == 50


def test_averaged_weights_follow_the_learnt_ones_and_are_the_ones_kept():
    model = nn.Linear(3, 2)
    learner = Learner(model, replace(QUICK, average=0.5), y=torch.tensor([0, 1] * 4))
    before = learner.kept.weight.clone()
    learner.step(model(torch.ones(1, 3)).sum())
    share = 2 / 11  # of the old weights after the first step, below the decay asked for
    torch.testing.assert_close(learner.kept.weight, share * before + (1 - share) * model.weight)
    assert learner.kept is not model
    assert Learner(model, QUICK, y=torch.tensor([0, 1])).kept is model


# step by step


def test_steps_taken_one_by_one_are_the_training_taken_at_once():
    whole, stepped = network(), network()
    expected = learn(whole)
    training = Training(stepped, TRAIN, VALIDATION, config=QUICK)
    rows = []
    while not training.done:
        torch.rand(3)  # what happens between two epochs has no say
        rows.append(training.step())
    assert training.history.to_dict("records") == rows
    history = training.finish().drop(columns="seconds")
    pd.testing.assert_frame_equal(history, expected.drop(columns="seconds"), check_exact=True)
    assert_same_weights(whole, stepped)


def test_two_trainings_taken_in_turns_do_not_disturb_each_other():
    alone, beside = network(), network()
    learn(alone)
    one = Training(beside, TRAIN, VALIDATION, config=QUICK)
    other = Training(network(seed=1), TRAIN, VALIDATION, config=replace(QUICK, seed=1))
    while not one.done:
        one.step()
        other.step()
    one.finish()
    assert_same_weights(alone, beside)


def test_a_step_leaves_the_global_generator_as_it_was():
    training = Training(network(), TRAIN, VALIDATION, config=QUICK)
    before = torch.get_rng_state()
    training.step()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_a_training_saved_between_steps_goes_on_elsewhere(n_steps, tmp_path):
    whole, moved = network("cnn_gru"), network("cnn_gru", seed=5)
    config = replace(QUICK, average=0.9, mixup=0.3)
    learn(whole, config=config)
    here = Training(network("cnn_gru"), TRAIN, VALIDATION, config=config)
    for _ in range(n_steps):
        here.step()
    here.save(tmp_path / "put_down.safetensors")
    there = Training(moved, TRAIN, VALIDATION, config=config)
    there.load(tmp_path / "put_down.safetensors")
    assert there.n_epochs == n_steps
    assert len(there.run(progress=False)) == 4
    assert_same_weights(whole, moved)


def test_a_word_after_an_epoch_ends_the_training_with_its_best_weights(tmp_path):
    short, seen = network(), []

    def enough(row):
        seen.append(row["epoch"])
        return len(seen) == 2

    history = fit(short, TRAIN, VALIDATION, config=QUICK, on_epoch=enough, progress=False)
    assert history.epoch.tolist() == seen == [1, 2]
    training = Training(network(), TRAIN, VALIDATION, config=QUICK)
    training.step()
    training.step()
    training.finish()
    assert_same_weights(short, training.model)


def test_a_training_cannot_go_beyond_its_end_nor_end_before_it_began():
    training = Training(network(), TRAIN, VALIDATION, config=replace(QUICK, epochs=1))
    with pytest.raises(ValueError, match="need at least one epoch"):
        training.finish()
    training.step()
    with pytest.raises(ValueError, match="got one done after 1"):
        training.step()


def test_an_epoch_callback_that_returns_nothing_lets_the_training_go_on():
    rows = []
    history = fit(network(), TRAIN, VALIDATION, config=QUICK, on_epoch=rows.append, progress=False)
    assert len(history) == len(rows) == 4


# what a task of rare classes asks for


def test_root_weights_lie_halfway_between_balance_and_none():
    y = torch.tensor([0] * 81 + [1] * 9)
    _, weight = make_loss(replace(QUICK, class_weights="root"), y, 2)(torch.zeros(90, 2), y)
    assert (weight[-1] / weight[0]).item() == pytest.approx(3)
    assert weight.mean().item() == pytest.approx(1)


def test_mixing_blends_windows_and_their_losses_alike():
    y = torch.tensor([0, 1] * 8)
    x = y[:, None, None].float().expand(-1, 1, 5)  # a window tells its label
    learner = Learner(nn.Linear(3, 2), replace(QUICK, mixup=1.0, class_weights="none"), y=y)
    plain = make_loss(replace(QUICK, class_weights="none"), y, 2)
    blended, judge = learner.mix(x, loss_fn=plain)
    own = torch.where(y == 1, blended[:, 0, 0], 1 - blended[:, 0, 0])  # share of the own label
    assert 0.5 <= own.min() < 1
    logits = torch.randn(16, 2)
    loss, weight = judge(logits, y)
    expected = own * plain(logits, y)[0] + (1 - own) * plain(logits, 1 - y)[0]
    torch.testing.assert_close(weight * loss, expected)


def test_mixing_is_off_by_default_and_repeatable():
    first, again, plain = network(), network(), network()
    learn(first, config=replace(QUICK, mixup=0.4))
    learn(again, config=replace(QUICK, mixup=0.4))
    learn(plain)
    assert_same_weights(first, again)
    assert not torch.equal(first.head.weight, plain.head.weight)


def test_a_frozen_network_changes_in_its_head_only():
    model, before = network("tiny_cnn"), network("tiny_cnn").state_dict()
    learn(model, config=replace(QUICK, freeze=True))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("head."), name
    assert all(p.requires_grad for p in model.parameters())  # for whoever goes on from here


def test_only_a_network_with_a_head_can_be_frozen():
    headless = nn.Sequential(nn.Flatten(), nn.Linear(200, 2))
    with pytest.raises(ValueError, match="need a network with a head"):
        learn(headless, config=replace(QUICK, freeze=True))


def test_leads_that_are_numbers_are_never_augmented():
    y = torch.tensor([0, 1] * 32)
    config = replace(QUICK, n_features=2, augment_probability=1.0)
    x = torch.randn(64, 3, 100)
    varied = Learner(nn.Linear(3, 2), config, y=y).vary(x)
    assert torch.equal(varied[:, 1:], x[:, 1:])
    assert not torch.equal(varied[:, :1], x[:, :1])


def test_augmentation_can_be_turned_down():
    y, x = torch.tensor([0, 1] * 32), torch.randn(64, 1, 100)
    config = replace(QUICK, augment=("noise",), augment_probability=1.0)
    full, half = (
        Learner(nn.Linear(3, 2), replace(config, augment_strength=s), y=y).vary(x) - x
        for s in (1.0, 0.5)
    )
    torch.testing.assert_close(half, full / 2, atol=1e-6, rtol=1e-4)


def test_without_weights_or_a_draw_every_window_is_seen_once():
    x, y = torch.arange(90.0).reshape(90, 1, 1).numpy(), np.array([0, 0, 1] * 30)
    model, seen = nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), []
    model.register_forward_hook(
        lambda m, args, _: seen.extend(args[0].flatten().tolist()) if m.training else None
    )
    config = TrainConfig(epochs=1, class_weights="none", batch_size=32, device="cpu")
    fit(model, (x, y), (x, y), config=config, progress=False)
    assert sorted(seen) == list(range(90))
