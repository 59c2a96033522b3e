"""Maps lie where the network looks, and the tests of them can tell."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ecglib import explain
from ecglib.explain.given import at_rest
from ecglib.explain.intervals import mean_interval
from ecglib.explain.places import CONVOLUTIONS, along_time
from ecglib.models import MODELS, arguments, build

N, FS = 1000, 250.0
SHAPE = {"n_leads": 1, "n_classes": 3, "n_samples": N}
WITHOUT = {
    name
    for name in MODELS
    if not any(isinstance(m, CONVOLUTIONS) for m in build(name, **SHAPE).modules())
}
CONVOLUTIONAL = sorted(set(MODELS) - WITHOUT)
assert {"linear", "mlp", "lstm", "gru"} <= WITHOUT and len(CONVOLUTIONAL) > 15
BEATS = [name for name in MODELS if "n_features" in arguments(name)]
RNG = np.random.default_rng(0)
X = RNG.normal(0, 0.5, (2, 1, N)).astype(np.float32)
QUICK = {  # options that keep a method quick
    "grad_cam": {},
    "integrated_gradients": {"steps": 3},
    "occlusion": {"width_s": 1.0},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Watcher(nn.Module):
    """Sees only the samples 300 to 399 of the first lead; as many classes as asked for."""

    def __init__(self, weights=(1.0, -1.0)):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, x):
        return x[:, 0, 300:400].mean(dim=1, keepdim=True) * self.weights


class Crooked(nn.Module):
    """Convolutions with strides, even widths and padding on one side."""

    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(
            nn.ZeroPad1d((20, 1)), nn.Conv1d(1, 2, 8, stride=3), nn.ReLU(),
            nn.Conv1d(2, 2, 5, padding="same"), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(2, 2, 7, dilation=2, padding=3), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.stages(x).mean(dim=-1))


def pulse(at, *, width=12.0, n=N):
    return np.exp(-(((np.arange(n) - at) / width) ** 2)).astype(np.float32)[None, None]


def smoothed(model):
    """Every convolution takes an average over time, so that a pulse stays a pulse."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS):
            shape = module.weight.shape
            each = torch.rand(shape[0], *[1] * (len(shape) - 1), generator=generator) + 0.5
            bell = torch.hann_window(shape[-1] + 2, periodic=False)[1:-1]
            module.weight.data = each * (bell / bell.sum() / shape[1:-1].numel()).expand(shape)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model.eval()


# where Grad-CAM looks


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_the_layer_comes_after_every_convolution_along_time_and_keeps_its_steps(name):
    model, seen = build(name, **SHAPE, seed=0).eval(), []
    last = [m for m in along_time(model) if isinstance(m, CONVOLUTIONS)][-1]
    layer = explain.layer_of(model)
    for module in {last, layer}:
        module.register_forward_hook(lambda m, _, out: seen.append((m, out.shape[2:])))
    model(torch.zeros(1, 1, N))
    assert [module for module, _ in seen][-1] is layer
    assert len({shape for _, shape in seen}) == 1


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_a_network_without_convolutions_is_named(name):
    model = build(name, **SHAPE)
    with pytest.raises(ValueError, match=rf"{type(model).__name__} has none"):
        explain.layer_of(model)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("at", [640, 930])
def test_the_map_peaks_at_a_pulse_within_a_step_whatever_lies_before_the_layer(name, at):
    model = smoothed(build(name, n_leads=1, n_classes=3, n_samples=1500, seed=1))
    layer = explain.layer_of(model)
    found = explain.grad_cam(model, 2 * pulse(at, n=1500), target=0, signed=True)[0]
    step = 12 if name == "course_2d" else explain.grid(model, layer).step
    assert abs(np.abs(found).argmax() - at) <= step


@pytest.mark.parametrize("at", [150, 333, 500, 820])
def test_strides_and_padding_on_one_side_are_accounted_for(at):
    model = smoothed(Crooked())
    nn.init.ones_(model.head.weight)
    found = explain.grad_cam(model, pulse(at), target=0)[0]
    grid = explain.grid(model, explain.layer_of(model))
    assert grid.step == 12
    assert grid.start == -20 + 3.5 + 3 * 1.5 + 12 * 3
    assert abs(found.argmax() - at) <= grid.step


def test_a_layer_may_be_chosen_and_a_finer_one_sees_finer():
    model = smoothed(build("cnn", **SHAPE, seed=0))
    fine = explain.grad_cam(model, pulse(400), target=1, layer=model.stages[0], signed=True)[0]
    coarse = explain.grad_cam(model, pulse(400), target=1, signed=True)[0]
    assert abs(np.abs(fine).argmax() - 400) <= 1
    width = [(np.abs(found) > np.abs(found).max() / 2).sum() for found in (fine, coarse)]
    assert width[0] < width[1]


def test_a_layer_that_does_not_run_along_time_is_refused():
    model = build("cnn_gru", **SHAPE)
    with pytest.raises(ValueError, match="a layer of CNNGRU that runs along time, got Conv1d"):
        explain.grid(model, model.rhythm.stages[0])


def test_behind_the_end_of_a_short_recording_the_map_is_empty():
    x = np.repeat(X, 1, axis=0).copy()
    x[0, :, 600:] = 0
    model = build("rhythm_net", **SHAPE, seed=0)
    for method, options in QUICK.items():
        for baseline in ({}, {"baseline": "mean"})[: 1 + (method == "integrated_gradients")]:
            found = explain.explain(model, x, method=method, target=1, fs=FS, **options, **baseline)
            assert not found[0, 600:].any() or method == "occlusion"
            assert found[1, 600:].any() or method == "grad_cam"


# every method


@pytest.mark.parametrize("method", explain.METHODS)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_method_maps_every_network_in_time(name, method):
    if method == "grad_cam" and name in WITHOUT:
        pytest.skip("no convolution")
    model = build(name, **SHAPE, seed=0).train()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    options = QUICK[method] | ({"signed": True} if method == "grad_cam" else {})
    found = explain.explain(model, X, method=method, target=[0, 2], fs=FS, **options)
    assert found.shape == (2, N) and found.dtype == np.float32
    assert np.isfinite(found).all() and found.any(axis=1).all()
    assert model.training and all(m.training for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    alone = explain.explain(model, X[1:], method=method, target=2, fs=FS, **options)
    np.testing.assert_allclose(found[1:], alone, rtol=1e-2, atol=1e-4 * np.abs(alone).max())


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_what_the_network_does_not_see_has_no_part_in_the_map(method):
    x = np.ones((1, 2, N), np.float32)
    options = {"width_s": 0.04, "baseline": "zero"} if method == "occlusion" else {}
    found = explain.explain(Watcher(), x, method=method, target=0, fs=FS, **options)[0]
    assert (found[300:400] > 0).all()
    assert not found[:290].any() and not found[410:].any()
    against = explain.explain(Watcher(), x, method=method, target=1, fs=FS, **options)[0]
    np.testing.assert_allclose(against, -found, atol=1e-7)


@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_integrated_gradients_add_up_to_the_change_of_the_logit(baseline):
    model = build("gru_attention", **SHAPE, seed=0).eval()
    found = explain.integrated_gradients(model, X, target=2, baseline=baseline, steps=64)
    flat = X.mean(axis=-1, keepdims=True).repeat(N, axis=-1) if baseline == "mean" else 0 * X
    with torch.no_grad():
        change = (model(torch.tensor(X)) - model(torch.tensor(flat)))[:, 2]
    np.testing.assert_allclose(found.sum(axis=1), change, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("name", BEATS)
def test_numbers_beside_the_signal_have_their_own_part(name):
    model = build(name, n_leads=4, n_classes=3, n_samples=200, n_features=2, seed=0).eval()
    x = RNG.normal(0, 0.3, (3, 4, 200)).astype(np.float32)
    x[:, 2:] = x[:, 2:, :1]
    beside = explain.numbers(model, x, target=1)
    over_time = explain.integrated_gradients(model, x, target=1)
    assert beside.shape == (3, 2) and over_time.shape == (3, 200)
    assert beside.any(axis=1).all()
    with torch.no_grad():
        change = (model(torch.tensor(x)) - model(torch.zeros(x.shape)))[:, 1]
    total = beside.sum(axis=1) + over_time.sum(axis=1)
    np.testing.assert_allclose(total, change, rtol=0.1, atol=0.02)
    found = explain.occlusion(model, x, target=1, fs=125, width_s=0.4)
    assert found.shape == (3, 200)


def test_a_network_without_numbers_says_so():
    with pytest.raises(ValueError, match="n_features > 0, CNN has none"):
        explain.numbers(build("cnn", **SHAPE), X, target=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "lime"}, "unknown method 'lime', expected one of grad_cam"),
        ({"target": 3}, r"targets in 0\.\.2, got \[3\]"),
        ({"target": [0, 1, 2]}, "one for each of 2 windows"),
        ({"target": 0.5}, "float64"),
        ({"method": "occlusion", "width_s": 9}, "<= 4 s, got width_s=9"),
        ({"method": "occlusion", "width_s": 0.1, "stride_s": 0.2}, "stride_s=0.2"),
        ({"method": "occlusion", "baseline": "noise"}, "unknown baseline 'noise'"),
        ({"method": "integrated_gradients", "steps": 0}, "steps=0"),
    ],
)
def test_what_cannot_be_explained_is_refused(options, words):
    given = {"method": "grad_cam", "target": 0, "fs": FS} | options
    with pytest.raises(ValueError, match=words):
        explain.explain(build("cnn", **SHAPE), X, **given)


@pytest.mark.parametrize("layer", [nn.GRU(1, 1), nn.Linear(1, 1)])
def test_on_a_gpu_recurrent_layers_take_the_plain_way_and_others_the_fast_one(layer, monkeypatch):
    there = SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(layer, "parameters", lambda: iter([there]))
    before = torch.backends.cudnn.enabled
    with at_rest(layer):
        assert torch.backends.cudnn.enabled == (before and not isinstance(layer, nn.GRU))
    assert torch.backends.cudnn.enabled == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["cnn_gru", "cnn_lstm", "gru_attention", "rhythm_net", "gru"])
def test_recurrent_layers_on_a_gpu_are_explained_as_on_a_cpu(name):
    model = build(name, **SHAPE, seed=0)
    for method in ("grad_cam", "integrated_gradients"):
        if method == "grad_cam" and name == "gru":
            continue
        given = {"method": method, "target": 1, "fs": FS}
        here = explain.explain(model.cpu(), X, **given)
        there = explain.explain(model.cuda(), X, **given)
        np.testing.assert_allclose(there, here, atol=0.02 * np.abs(here).max())


# class averages


def test_averages_are_aligned_on_the_peak_with_an_interval_by_patient():
    at = np.array([100, 140, 200, 90])
    signal = np.concatenate([pulse(a, n=300) for a in at])
    maps = 5 * np.roll(signal[:, 0], 10, axis=1) * np.array([[1], [9], [1], [1]])
    given = {"label": [0, 0, 0, -1], "classes": ["N", "V"], "fs": 100.0, "after_s": 0.5}
    found = explain.by_class(maps, at, signal=signal, **given, groups=["a", "a", "b", "c"])
    assert set(found) == {"N"}
    one = found["N"]
    assert (one.n_beats, one.n_windows) == (3, 3)
    assert one.time_s[one.beat.argmax()] == 0
    assert one.time_s[one.map.argmax()] == pytest.approx(0.1)
    assert one.map.max() == pytest.approx(1)  # whatever the scale of each map
    assert (one.low <= one.map + 1e-9).all() and (one.map <= one.high + 1e-9).all()


def test_a_window_may_have_many_peaks_and_pieces_may_stick_out():
    signal = (pulse(50, n=300) + pulse(290, n=300)).astype(np.float32)
    given = {"label": [0], "classes": ["N"], "fs": 100.0, "before_s": 0.6, "after_s": 0.3}
    one = explain.by_class(signal[:, 0], [[50, 290]], signal=signal, **given)["N"]
    assert (one.n_beats, one.n_windows) == (2, 1)
    assert one.beat.max() == pytest.approx(1) and np.isfinite(one.map).all()
    assert np.isnan(one.low).all()  # one window has no interval


def test_a_peak_outside_its_window_is_named():
    x = np.zeros((2, 1, 30))
    given = {"signal": x, "label": [0, 0], "classes": ["N"], "fs": 100}
    with pytest.raises(ValueError, match="got 30 in window 1"):
        explain.by_class(x[:, 0], [3, 30], **given)
    with pytest.raises(ValueError, match="peaks for each of 2 windows, got 1"):
        explain.by_class(x[:, 0], [3], **given)
    with pytest.raises(ValueError, match="n labels"):
        explain.by_class(x[:1, 0], 3, **given)


# sanity


def edges(model, x, *, target, fs):
    """A map that knows nothing of the network."""
    return np.abs(np.diff(x[:, 0], axis=1, prepend=0))


@pytest.mark.parametrize("method", explain.METHODS)
def test_shuffling_the_weights_changes_a_map_and_leaves_the_model(method):
    model = build("tiny_cnn", **SHAPE, seed=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = explain.randomised(model, X, method=method, target=1, fs=FS, **QUICK[method])
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    weighted = [name for name, p in model.named_parameters() if p.ndim > 1]
    assert list(found["layer"][::2]) == [
        "another window", *(name.removesuffix(".weight") for name in reversed(weighted))
    ]  # fmt: skip
    last = found[found["depth"] == found["depth"].max()]
    assert (last["value"].abs() < 0.8).all()
    assert set(found["measure"]) == {"signed", "absolute"}


def test_a_map_that_knows_nothing_of_the_network_is_found_out():
    model = build("cnn", **SHAPE, seed=0)
    found = explain.randomised(model, X, method=edges, target=1, fs=FS)
    assert (found["value"][2:] > 0.999).all() and (found["value"][:2].abs() < 0.2).all()
    other = build("cnn", **SHAPE, seed=1)
    found = explain.label_randomisation(model, other, x=X, method=edges, target=1, fs=FS)
    assert found[found["layer"] == "other model"]["value"].tolist() == pytest.approx([1, 1])


def test_maps_of_another_model_are_compared_beside_the_yardstick():
    model, other = (build("cnn", **SHAPE, seed=s) for s in (0, 1))
    given = {"method": "integrated_gradients", "target": 1, "fs": FS, "steps": 4}
    same = explain.label_randomisation(model, model, x=X, **given)
    assert same["value"][2:].tolist() == pytest.approx([1, 1])
    found = explain.label_randomisation(model, other, x=X, **given)
    assert list(found["layer"]) == ["another window"] * 2 + ["other model"] * 2
    assert found["value"][2] < 0.9


def test_methods_agree_with_themselves_and_not_with_chance():
    maps = RNG.normal(size=(30, 200))
    level = maps.copy()
    level[0] = 0
    found = explain.agreement(
        {"a": maps, "b": 3 * level + 1, "c": RNG.normal(size=maps.shape)}, groups=np.arange(30) // 2
    ).set_index(["a", "b"])
    assert found.loc[("a", "b"), "value"] == pytest.approx(1)
    assert found.loc[("a", "b"), "n"] == 29  # a level map ranks nothing
    assert found.loc[("a", "c"), "low"] < 0 < found.loc[("a", "c"), "high"]
    with pytest.raises(ValueError, match="two methods"):
        explain.agreement({"a": maps})
    with pytest.raises(ValueError, match=r"\(30, 200\) and \(30, 199\)"):
        explain.agreement({"a": maps, "b": maps[:, 1:]})


def test_rank_correlation_is_that_of_scipy():
    from scipy.stats import spearmanr

    a, b = RNG.integers(0, 9, (2, 4, 50))
    expected = [spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert explain.rank_correlation(a, b).tolist() == pytest.approx(expected)


def test_the_interval_draws_whole_patients():
    values = np.repeat(RNG.normal(size=20), 50)[:, None]
    apart = mean_interval(values)
    together = mean_interval(values, np.repeat(np.arange(20), 50))
    assert apart["value"] == pytest.approx(values.mean())
    width = [float(found["high"][0] - found["low"][0]) for found in (apart, together)]
    assert width[1] > 4 * width[0]
    assert np.isnan(mean_interval(values, np.zeros(1000))["low"][0])


# deletion and insertion


@pytest.mark.parametrize("fill", explain.FILLS)
def test_taking_away_what_the_network_sees_beats_chance(fill):
    x = RNG.normal(0, 0.1, (12, 2, N)).astype(np.float32)
    x[:, 0, 300:400] += 2
    maps = np.zeros((12, N), np.float32)
    maps[:, 300:400] = 1
    model = Watcher((2.0, -2.0))
    found = explain.curves(model, x, maps, target=0, fill=fill, steps=10)
    assert found.n == 12
    area = found.areas.set_index(["kind", "order"])
    assert area.loc[("deletion", "difference"), "high"] < 0
    assert area.loc[("insertion", "difference"), "low"] > 0
    table = found.table.set_index(["kind", "order", "share"])["value"]
    for order in ("map", "random"):
        assert table["deletion", order, 0.0] == pytest.approx(table["insertion", order, 1.0])
        assert table["deletion", order, 1.0] == pytest.approx(table["insertion", order, 0.0])
    assert table["deletion", "map", 0.1] < table["deletion", "random", 0.1] - 0.1


def test_a_map_of_chance_is_no_better_than_chance():
    x = RNG.normal(0, 0.1, (60, 1, N)).astype(np.float32)
    x[:, 0, 300:400] += 2
    maps = RNG.normal(size=(60, N))
    found = explain.curves(Watcher((2.0, -2.0)), x, maps, target=0, steps=10).areas
    found = found[found["order"] == "difference"]
    assert (found["low"] < 0.02).all() and (found["high"] > -0.02).all()
    assert (found["value"].abs() < 0.1).all()


def test_numbers_and_padding_stay_when_the_signal_is_taken_away():
    shown = []

    class Listener(nn.Module):
        n_features = 1

        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2, 2)

        def forward(self, x):
            shown.append(x.clone())
            return self.head(x[:, :, 0])

    x = np.ones((1, 2, 100), np.float32)
    x[:, 0] = 1 + np.arange(100)
    x[:, 0, 70:] = 0
    for fill in explain.FILLS:
        shown.clear()
        explain.curves(Listener(), x, np.ones((1, 100)), target=0, steps=7, fill=fill)
        seen = torch.cat(shown)
        assert (seen[:, 1] == 1).all() and not seen[:, 0, 70:].any()
        assert len({tuple(window) for window in seen[:, 0].tolist()}) > 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maps": np.zeros((2, 9))}, r"shape \(2, 1000\) as the windows, got \(2, 9\)"),
        ({"fill": "blur"}, "unknown fill 'blur', expected one of zero, mean, line"),
        ({"steps": 1}, "steps=1"),
        ({"n_random": 0}, "n_random=0"),
    ],
)
def test_curves_that_cannot_be_drawn_are_refused(options, words):
    given = {"maps": np.zeros((2, N)), "target": 0} | options
    with pytest.raises(ValueError, match=words):
        explain.curves(Watcher(), X, given.pop("maps"), **given)
