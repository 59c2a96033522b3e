"""Every network keeps one contract."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ecglib.models import MODELS, arguments, build, n_parameters
from ecglib.models.features import with_ramp
from ecglib.models.images import fold, spectrogram
from ecglib.models.parts import AttentionMaxPool, AverageMaxPool
from ecglib.models.published import LAYOUTS
from ecglib.models.residual import SqueezeExcite
from ecglib.models.transformer import Attention, rotate, sinusoids

NAMES = sorted(MODELS)
BEATS = [name for name in MODELS if "n_features" in arguments(name)]
SHAPE = {"n_leads": 1, "n_classes": 2, "n_samples": 1000}
BEAT = {"n_leads": 1, "n_classes": 5, "n_samples": 187}
FIXED = {"linear", "mlp", "cnn", "course_2d", "c1dct", *LAYOUTS}  # made for one length


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second core, and lose much when it is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_leads", [1, 2])
@pytest.mark.parametrize("n_samples", [1000, 1234])
def test_every_model_maps_windows_to_logits(name, n_leads, n_samples):
    model = build(name, n_leads=n_leads, n_classes=3, n_samples=n_samples)
    assert model(torch.zeros(4, n_leads, n_samples)).shape == (4, 3)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_learns_and_answers_at_batch_one(name):
    model = build(name, **SHAPE)
    model(torch.randn(1, 1, 1000)).sum().backward()
    assert model.eval()(torch.randn(1, 1, 1000)).shape == (1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_window_is_judged_alone_whatever_lies_beside_it(name):
    model = build(name, **SHAPE, seed=0).eval()
    x = torch.randn(5, 1, 1000)
    torch.testing.assert_close(model(x)[2:3], model(x[2:3]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_parameter(name):
    model = build(name, **SHAPE, seed=0)
    labels = torch.arange(8) % 3 // 2  # a plain sum would not do: a norm keeps that as it is
    nn.functional.cross_entropy(model(torch.randn(8, 1, 1000)), labels).backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Adding one number to all scores of a softmax over time changes nothing.
    assert set(without) <= {"pool.score.bias"}


@pytest.mark.parametrize("name", NAMES)
def test_amplitude_changes_the_answer(name):
    model = build(name, **SHAPE, seed=0).eval()
    fibrillation = torch.sin(torch.arange(1000) * 0.13).expand(1, 1, -1)
    fine, coarse = model(0.1 * fibrillation), model(0.5 * fibrillation)
    assert (fine - coarse).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_electrode_does_not_break_the_numbers(name):
    model = build(name, **SHAPE)
    for x in (torch.zeros(2, 1, 1000), torch.full((2, 1, 1000), 1e4)):
        assert model(x).isfinite().all()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"mlp"}))
def test_a_window_too_short_is_refused_when_built(name):
    with pytest.raises(ValueError, match=r"needs at least \d+ samples, got n_samples=20"):
        build(name, n_leads=1, n_classes=2, n_samples=20)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 3, 1000), (1, 1000), (2, 1, 10)])
def test_a_wrong_shape_is_refused_with_the_one_expected(name, shape):
    model = build(name, **SHAPE)
    with pytest.raises(ValueError, match=r"expects \(batch, 1, .*samples\), got"):
        model(torch.zeros(shape))


@pytest.mark.parametrize("name", sorted(set(NAMES) - FIXED))
def test_models_that_pool_over_time_take_any_duration(name):
    model = build(name, **SHAPE)
    assert model(torch.zeros(2, 1, 2500)).shape == (2, 2)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_models_with_a_dense_layer_over_time_refuse_another_duration(name):
    with pytest.raises(ValueError, match="1000 samples"):
        build(name, **SHAPE)(torch.zeros(2, 1, 1200))


def test_the_tiny_network_stays_within_the_published_size():
    assert n_parameters(build("tiny_cnn", **SHAPE)) <= 7521


def test_parameters_are_counted_once_and_only_if_learnt():
    layer = nn.Linear(3, 2)
    assert n_parameters(layer) == 8
    layer.bias.requires_grad_(False)
    assert n_parameters(layer) == 6


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_fixes_the_weights_and_leaves_the_global_generator(name):
    before = torch.get_rng_state()
    first, again, other = (build(name, **SHAPE, seed=s).state_dict() for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_an_unknown_model_is_answered_with_the_names():
    with pytest.raises(
        ValueError, match=r"unknown model 'cnn_rnn', expected one of mlp, .*cnn_gru"
    ):
        build("cnn_rnn", **SHAPE)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_answered_with_those_there_are(name):
    with pytest.raises(
        ValueError, match=r"has no argument whiskers; it has .*(dropout|n_features)"
    ):
        build(name, **SHAPE, whiskers=4)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("gru", {"hidden": 0}),
        ("gru", {"patch": 2.5}),
        ("cnn_gru", {"depth": 0}),
        ("cnn_gru", {"kernel": 4}),
        ("cnn_lstm", {"pool": "median"}),
        ("cnn", {"dropout": 1.5}),
        ("tiny_cnn", {"channels": 2}),
        ("se_resnet", {"kernel": 4}),
        ("se_resnet", {"growth": 0.5}),
        ("se_resnet", {"pool": "median"}),
        ("gru_attention", {"hidden": 0}),
        ("transformer", {"heads": 5}),
        ("transformer", {"stride": 3}),
        ("course_transformer", {"heads": 3}),
        ("course_2d", {"layers": 0}),
        ("spectrogram_cnn", {"hop": 0}),
        ("spectrogram_cnn", {"dropout": 1.5}),
    ],
)
def test_an_argument_out_of_range_is_refused(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        build(name, **SHAPE, **bad)


@pytest.mark.parametrize("name", ["lstm", "gru", "cnn_lstm", "cnn_gru"])
@pytest.mark.parametrize("pool", ["average", "attention"])
def test_direction_and_depth_are_arguments(name, pool):
    shared = {"n_leads": 2, "n_classes": 2, "n_samples": 1000, "pool": pool}
    one = build(name, **shared, bidirectional=False, depth=1)
    two = build(name, **shared, bidirectional=True, depth=2)
    assert two(torch.zeros(3, 2, 1000)).shape == one(torch.zeros(3, 2, 1000)).shape == (3, 2)
    assert n_parameters(two) > 2 * n_parameters(one.cell)


def test_every_hyper_parameter_has_a_default():
    for name in MODELS:
        assert arguments(name)
        assert build(name, **SHAPE, **arguments(name))


def test_an_lstm_starts_with_its_forget_gates_open():
    cell = build("lstm", **SHAPE, hidden=5).cell
    assert cell.bias_ih_l0[5:10].tolist() == [1.0] * 5
    assert cell.bias_hh_l0.abs().sum() == 0


def test_recurrent_weights_start_orthogonal():
    for gate in build("gru", **SHAPE, hidden=6).cell.weight_hh_l0.split(6):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)


def test_attention_that_prefers_no_step_is_an_average():
    x = torch.randn(2, 4, 7)
    pool = AttentionMaxPool(4)
    nn.init.zeros_(pool.score.weight)
    torch.testing.assert_close(pool(x), AverageMaxPool()(x))


def test_no_activation_works_in_place_or_is_used_twice():
    for name in MODELS:
        model, calls = build(name, **SHAPE).eval(), []
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                assert not module.inplace
                module.register_forward_hook(lambda m, *_, seen=calls: seen.append(m))
        model(torch.zeros(1, 1, 1000))
        assert len(calls) == len(set(calls))


def test_importing_the_library_does_not_import_torch():
    code = "import ecglib, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# single beats


def test_the_networks_for_beats_are_there():
    wanted = {"course_2d", "course_transformer", "se_resnet", "gru_attention", "transformer"}
    assert wanted | {"spectrogram_cnn", "linear"} == set(BEATS)


@pytest.mark.parametrize("name", BEATS)
@pytest.mark.parametrize("n_samples", [187, 375])
@pytest.mark.parametrize("n_leads", [1, 8])
def test_beats_of_either_form_become_logits_within_the_size_allowed(name, n_samples, n_leads):
    model = build(name, n_leads=n_leads, n_classes=5, n_samples=n_samples)
    x = torch.randn(3, n_leads, n_samples)
    assert model(x).shape == (3, 5)
    assert model.eval()(x[:1]).shape == (1, 5)
    assert n_parameters(model) < 500_000


@pytest.mark.parametrize("name", BEATS)
def test_numbers_beside_the_signal_count_by_their_first_sample(name):
    shape = BEAT | {"n_leads": 8}
    model = build(name, **shape, n_features=6, seed=0).eval()
    x = torch.randn(4, 8, 187)
    later, first = x.clone(), x.clone()
    later[:, 2:, 1:] = 0
    first[:, 2:, 0] += 1
    assert torch.equal(model(later), model(x))
    assert (model(first) - model(x)).abs().max() > 1e-3
    model(x).sum().backward()
    seen_by = model.head if name == "linear" else model.features
    assert all(p.grad.any() for p in seen_by.parameters())


@pytest.mark.parametrize("name", BEATS)
@pytest.mark.parametrize("n_features", [-1, 2])
def test_a_lead_of_signal_must_be_left(name, n_features):
    with pytest.raises(ValueError, match="n_features must leave at least one lead of signal"):
        build(name, **(BEAT | {"n_leads": 2}), n_features=n_features)


@pytest.mark.parametrize("name", BEATS)
def test_the_head_is_all_that_knows_the_number_of_classes(name):
    five, two = (build(name, **BEAT | {"n_classes": n}).state_dict() for n in (5, 2))
    differing = {key for key in five if five[key].shape != two[key].shape}
    assert differing and all(key.startswith("head.") for key in differing)


@pytest.mark.parametrize("name", BEATS)
def test_a_network_for_beats_learns_a_few_by_heart(name):
    torch.manual_seed(0)
    t = torch.arange(187)
    y = torch.arange(30) % 3
    x = torch.exp(-(((t - 50 - 20 * y[:, None]) / 8) ** 2))[:, None] + 0.02 * torch.randn(
        30, 1, 187
    )
    model = build(name, **BEAT | {"n_classes": 3}, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            break
    assert loss < 0.5


def test_the_folded_beat_has_sixteen_rows_and_reads_like_a_page():
    image = fold(torch.arange(187.0).expand(2, 1, -1))
    assert image.shape == (2, 1, 16, 12)
    assert torch.equal(image[0, 0, 1], torch.arange(12.0, 24.0))
    assert not image[0, 0, -1, 7:].any()


def test_the_course_model_has_the_parameters_of_its_layers():
    convolutions = (9 * 1 + 1) * 32 + 5 * (9 * 32 + 1) * 32
    dense = (8 * 6 * 32 + 1) * 32 + (32 + 1) * 5
    assert n_parameters(build("course_2d", **BEAT)) == convolutions + dense


def test_a_tone_lights_up_the_row_of_its_frequency():
    tone = torch.sin(2 * torch.pi * 20 * torch.arange(375) / 125).expand(1, 2, -1)
    image = spectrogram(tone, n_fft=32, hop=4)
    assert image.shape == (1, 2, 17, 94)
    inside = image[0, 0, :, 8:-8]  # the ends are mirrored
    assert set(inside.argmax(0).tolist()) == {5}  # 20 Hz lies nearest 5 times 125 / 32


def test_turned_vectors_meet_by_their_distance_alone():
    query, key = torch.randn(2, 8)
    turned_q, turned_k = (rotate(v.expand(1, 1, 20, -1))[0, 0] for v in (query, key))
    scores = turned_q @ turned_k.T
    for distance in (0, 3):
        along = scores.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-4, rtol=1e-4)
    assert (scores[0, 0] - scores[0, 7]).abs() > 1e-3
    torch.testing.assert_close(turned_q.norm(dim=1), query.norm().expand(20))


@pytest.mark.parametrize("rotary", [True, False])
def test_attention_without_places_does_not_know_the_order(rotary):
    attention, x = Attention(8, heads=2, rotary=rotary), torch.randn(1, 6, 8)
    back = attention(x.flip(1)).flip(1)
    assert torch.allclose(attention(x)[:, 0], back[:, 0], atol=1e-5) != rotary


def test_sinusoids_tell_the_places_apart():
    at = sinusoids(94, 16)
    assert at.shape == (94, 16)
    assert torch.pdist(at).min() > 0.1


def test_squeezing_weighs_whole_channels_between_none_and_all():
    x = torch.rand(3, 8, 20) + 0.5
    weight = SqueezeExcite(8, ratio=4)(x) / x
    torch.testing.assert_close(weight, weight[..., :1].expand_as(weight))
    assert 0 < weight.min() and weight.max() < 1


def test_the_ramp_is_one_more_lead_from_minus_one_to_one():
    x = with_ramp(torch.zeros(2, 1, 5))
    assert x[1].tolist() == [[0, 0, 0, 0, 0], [-1, -0.5, 0, 0.5, 1]]
