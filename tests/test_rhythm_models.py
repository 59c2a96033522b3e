"""The networks for rhythms: the published family, its Transformer, and one for whole recordings."""

import pytest
import torch
from torch import nn

from ecglib.models import MODELS, arguments, build, multiply_adds, n_parameters
from ecglib.models.compact import SelfAttention
from ecglib.models.published import LAYOUTS, Norm, keras_total, shortest
from ecglib.models.rhythm import Ends, MaskedPool, true_lengths

FIVE_S = {"n_leads": 1, "n_classes": 3, "n_samples": 1500}
WHOLE = {"n_leads": 1, "n_classes": 3, "n_samples": 4500}
COUNTS = {  # learnt, and with the running values of the norms as Keras adds them
    "basic_cnn": (284_467, 284_947),
    "resnet_like_x3": (344_259, 345_107),
    "resnet_like_x4": (309_051, 310_619),
    "smaller_resnet_4x2": (147_811, 149_395),
    "smaller_resnet_4x3": (151_451, 153_571),
    "identity_resnet_4x2": (200_611, 201_859),
    "identity_resnet_8x2": (213_123, 214_851),
    "c1dct": (65_668, 65_860),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second core, and lose much when it is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rhythm():
    return build("rhythm_net", **WHOLE, seed=0).eval()


# the published family


@pytest.mark.parametrize("name", COUNTS)
def test_a_published_network_has_the_published_number_of_parameters(name):
    model = build(name, **FIVE_S)
    assert (n_parameters(model), keras_total(model)) == COUNTS[name]


def test_the_whole_family_is_there():
    assert set(LAYOUTS) | {"c1dct"} == set(COUNTS) <= set(MODELS)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("basic_cnn", 704),
        ("resnet_like_x3", 888),
        ("resnet_like_x4", 888),
        ("smaller_resnet_4x2", 792),
        ("smaller_resnet_4x3", 704),
        ("identity_resnet_4x2", 704),
        ("identity_resnet_8x2", 528),
    ],
)
def test_as_many_numbers_are_left_before_the_dense_layer_as_published(name, width):
    model = build(name, **FIVE_S).eval()
    assert model.blocks(torch.zeros(1, 1, 1500)).flatten(1).shape[1] == width


@pytest.mark.parametrize("name", COUNTS)
def test_a_published_network_takes_the_length_it_was_built_for_and_no_other(name):
    with pytest.raises(ValueError, match=r"expects \(batch, 1, 1500 samples\), got \(2, 1, 1800\)"):
        build(name, **FIVE_S)(torch.zeros(2, 1, 1800))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_shortest_window_leaves_one_step_and_one_sample_less_is_refused(name):
    fewest = shortest(LAYOUTS[name])
    model = build(name, **FIVE_S | {"n_samples": fewest})
    assert model.blocks(torch.zeros(2, 1, fewest)).shape[-1] == 1
    assert model(torch.randn(1, 1, fewest)).shape == (1, 3)
    with pytest.raises(ValueError, match=f"needs at least {fewest} samples"):
        build(name, **FIVE_S | {"n_samples": fewest - 1})


def test_short_cuts_change_nothing_where_the_channels_agree():
    identities = [b.shortcut for b in build("identity_resnet_8x2", **FIVE_S).blocks[1:]]
    assert len(identities) == 8 and all(isinstance(s, nn.Identity) for s in identities)
    assert build("basic_cnn", **FIVE_S).blocks[2].shortcut is None


@pytest.mark.parametrize("name", LAYOUTS)
def test_rectifying_comes_before_the_norm(name):
    for block in build(name, **FIVE_S).blocks:
        kinds = [type(m) for m in block.body if not isinstance(m, nn.ZeroPad1d)]
        assert kinds == [nn.Conv1d, nn.ReLU, Norm] * (len(kinds) // 3)


def test_an_even_width_is_padded_as_in_keras():
    block = build("resnet_like_x3", **FIVE_S).blocks[1]
    assert block.body[0].padding == (15, 16)


def test_a_single_number_a_channel_is_judged_by_the_running_values():
    norm = Norm(2)
    norm.running_mean += 3
    x = torch.tensor([[4.0, 2.0]])
    torch.testing.assert_close(norm(x), (x - 3) / (1 + 1e-3) ** 0.5)
    assert norm(torch.tensor([[4.0, 2.0], [0.0, 2.0]]))[:, 0].sum().abs() < 1e-5


# the published Transformer


def test_three_projections_or_the_repair_cost_as_much():
    apart = build("c1dct", **FIVE_S, shared_projection=False)
    repaired = build("c1dct", **FIVE_S, repaired=True, rotary=True)
    assert n_parameters(apart) == n_parameters(repaired) == 82_308
    assert keras_total(apart) == 82_500


def test_a_shared_projection_makes_a_token_look_at_its_likes():
    attention = SelfAttention(8, heads=2, shared=True, rotary=False, dropout=0.0)
    query = attention.project(torch.randn(1, 6, 8)).unflatten(-1, (2, 4))[0, :, 0]
    scores = query @ query.T
    torch.testing.assert_close(scores, scores.T)
    assert (scores.diagonal() >= 0).all()


def test_the_published_weights_shout_and_the_repaired_ones_whisper():
    x = torch.randn(16, 1, 1500)
    spread = {r: build("c1dct", **FIVE_S, repaired=r, seed=0)(x).std() for r in (False, True)}
    assert spread[False] > 10 and spread[True] < 2


def test_a_published_transformer_drops_half_and_a_repaired_one_a_tenth():
    for repaired, rate in ((False, 0.5), (True, 0.1)):
        model = build("c1dct", **FIVE_S, repaired=repaired)
        assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {rate}
        assert model.blocks[0].attend[1].dropout == (0.0 if repaired else 0.5)


@pytest.mark.parametrize("rotary", [False, True])
def test_only_turned_by_their_place_do_tokens_know_how_far_apart_they_lie(rotary):
    attention = SelfAttention(8, heads=2, shared=False, rotary=rotary, dropout=0.0).eval()
    x = torch.randn(1, 6, 8)
    swapped = x[:, [1, 0, 2, 3, 4, 5]]  # the last token sees the same ones, elsewhere
    same = torch.allclose(attention(x)[:, -1], attention(swapped)[:, -1], atol=1e-6)
    assert same is not rotary
    assert build("c1dct", **FIVE_S, rotary=rotary).blocks[0].attend[1].rotary is rotary


# whole recordings


def test_the_network_for_recordings_stays_within_the_size_allowed():
    assert n_parameters(build("rhythm_net", **WHOLE)) <= 350_000


@pytest.mark.parametrize("length", [1350, 2001, 3333, 4499])
@pytest.mark.parametrize(
    "options",
    [{}, {"pool": "average", "layers": 2}, {"depth": 2, "first_stride": 3, "stages": 4}],
)
def test_zeros_behind_a_recording_do_not_count(length, options):
    model = build("rhythm_net", **WHOLE, **options, seed=0).eval()
    alone = torch.randn(1, 1, length)
    row = torch.zeros(2, 1, 4500)
    row[0, :, :length] = alone[0]
    row[1] = torch.randn(1, 4500)  # a whole recording beside it
    torch.testing.assert_close(model(row)[:1], model(alone), rtol=1e-4, atol=1e-5)


def test_a_flat_line_inside_a_recording_counts(rhythm):
    x = torch.randn(1, 1, 4500)
    x[..., 2000:2500] = 0
    assert true_lengths(x).tolist() == [4500]
    shorter = torch.cat([x[..., :2000], x[..., 2500:]], dim=-1)
    assert (rhythm(x) - rhythm(shorter)).abs().max() > 1e-4


def test_the_end_is_the_last_sample_that_any_lead_has():
    x = torch.zeros(3, 2, 9)
    x[0, 0, :4] = 1
    x[0, 1, 6] = -1
    x[1, 1, 8] = 1
    assert true_lengths(x).tolist() == [7, 9, 1]


def test_a_recording_is_read_backwards_from_its_own_end():
    ends = Ends(torch.tensor([3, 5]), 5)
    x = torch.arange(5.0).expand(2, -1)[..., None]
    back = ends.reversed(x)[..., 0]
    assert back.tolist() == [[2, 1, 0, 3, 4], [4, 3, 2, 1, 0]]
    assert torch.equal(ends.reversed(back[..., None]), x)


@pytest.mark.parametrize("kind", ["attention", "average"])
def test_pooling_leaves_out_what_lies_behind_the_end(kind):
    pool, ends = MaskedPool(kind, 3), Ends(torch.tensor([4, 6]), 6)
    x = torch.randn(2, 3, 6)
    louder = x.clone()
    louder[0, :, 4:] = 100
    torch.testing.assert_close(pool(louder, ends), pool(x, ends))
    torch.testing.assert_close(pool(x, ends)[0, 3:], x[0, :, :4].amax(-1))


@pytest.mark.parametrize(
    "bad",
    [
        {"kernel": 4},
        {"first_kernel": 10},
        {"growth": 0.5},
        {"ratio": -1},
        {"hidden": 0},
        {"layers": 0},
        {"pool": "median"},
        {"dropout": 1.5},
    ],
)
def test_an_argument_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad)).removeprefix("first_")):
        build("rhythm_net", **WHOLE, **bad)


def test_irregular_beats_of_one_rate_are_told_from_regular_ones():
    torch.manual_seed(0)
    y = torch.arange(24) % 2
    gaps = 120 + 60 * (torch.rand(24, 11) - 0.5) * y[:, None]
    at = gaps.cumsum(dim=1) + 100 * torch.rand(24, 1)
    t = torch.arange(1500)
    x = torch.exp(-(((t - at[..., None]) / 4) ** 2)).sum(dim=1, keepdim=True)
    small = {"width": 16, "hidden": 16, "dropout": 0.0}
    model = build("rhythm_net", n_leads=1, n_classes=2, n_samples=1500, seed=0, **small)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            break
    assert loss < 0.3


# the Transformer of the exercise before


@pytest.mark.parametrize(
    ("shape", "stride", "kernel"), [(FIVE_S, 10, 15), (WHOLE, 30, 31)], ids=["5 s", "30 s"]
)
def test_the_transformer_makes_150_tokens_of_five_or_of_thirty_seconds(shape, stride, kernel):
    model = build("transformer", **shape, stride=stride, kernel=kernel, position=False)
    assert model.stem(torch.zeros(1, 1, shape["n_samples"])).shape[-1] == 150
    assert n_parameters(model) < 350_000


# costs


def test_multiplications_of_a_dense_layer_and_a_convolution_are_counted_by_hand():
    mlp = build("mlp", **FIVE_S, hidden=10, depth=1)
    assert multiply_adds(mlp, 1, 1500) == 1500 * 10 + 10 * 3
    convolution = nn.Conv1d(2, 4, 5, stride=2)
    assert multiply_adds(convolution, 2, 21) == 9 * 4 * 2 * 5


class Turned(nn.Module):
    """Leads and samples change places before a layer that wants (batch, steps, width)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.transpose(1, 2))


@pytest.mark.parametrize(("kind", "gates"), [(nn.GRU, 3), (nn.LSTM, 4)])
def test_multiplications_of_a_recurrent_layer_are_counted_in_both_directions(kind, gates):
    layer = Turned(kind(7, 5, batch_first=True, bidirectional=True))
    assert multiply_adds(layer, 7, 10) == 2 * 10 * gates * 5 * (7 + 5)


def test_multiplications_of_attention_are_counted():
    layer = Turned(SelfAttention(8, heads=2, shared=False, rotary=False, dropout=0.5))
    assert multiply_adds(layer, 8, 16) == 16 * 8 * (3 * 8 + 8) + 2 * 16 * 16 * 8


def test_counting_leaves_the_model_as_it_was():
    model = build("smaller_resnet_4x2", **FIVE_S).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert multiply_adds(model, 1, 1500) == multiply_adds(model, 1, 1500) > 1e6
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_every_network_for_rhythms_can_be_asked_for_less_dropout():
    for name in [*COUNTS, "rhythm_net"]:
        assert "dropout" in arguments(name)
        kept = build(name, **FIVE_S, dropout=0.0)
        assert {m.p for m in kept.modules() if isinstance(m, nn.Dropout)} == {0.0}
