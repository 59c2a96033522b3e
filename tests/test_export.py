"""Networks as ONNX files: the same answers for any batch, eight bits, size and time."""

import json

import numpy as np
import onnx
import pandas as pd
import pytest
import tiny
import torch
from torch import nn

from ecglib import datasets, export, published, runs, train
from ecglib.export import network as exporting
from ecglib.models import MODELS, arguments, build
from ecglib.models.parts import RhythmBranch
from ecglib.models.published import LAYOUTS
from ecglib.runs import RunConfig
from ecglib.train import TrainConfig

BEATS = {name for name in MODELS if "n_features" in arguments(name)}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second core, and lose much when it is taken."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(name: str, **more) -> nn.Module:
    """Fresh weights, running averages that are not those of a network just made."""
    n_samples = 1000 if name in LAYOUTS else 160
    shape = {"n_leads": 1, "n_classes": 3, "n_samples": n_samples}
    if name in BEATS and not more:
        shape["n_leads"], more = 7, {"n_features": 5}
    made = build(name, **shape, seed=0, **more)
    generator = torch.Generator().manual_seed(0)
    for part in made.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return made.eval()


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """The ONNX file of a network by name, made once."""
    folder, made = tmp_path_factory.mktemp("traced"), {}

    def of(name: str) -> export.Exported:
        if name not in made:
            made[name] = export.onnx(network(name), folder / f"{name}.onnx")
        return made[name]

    return of


def windows_of(model: nn.Module, n: int) -> np.ndarray:
    """Noise; of some only the beginning, of one nothing."""
    x = np.random.default_rng(n).normal(size=(n, model.n_leads, model.n_samples))
    x[1::5, :, model.n_samples // 2 :] = 0
    x[3::5, :, model.n_samples - 3 :] = 0
    if n > 3:
        x[2] = 0
    return x.astype(np.float32)


def differing(model: nn.Module, path, x: np.ndarray) -> float:
    wanted = train.predict(model, x)
    got = export.predict(path, x, batch_size=len(x))
    assert got.dtype == np.float32 and got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("name", MODELS)
def test_every_network_answers_the_same_as_onnx_for_any_batch(name, traced):
    model, made = network(name), traced(name)
    assert made.difference <= 1e-4 and made.n_bytes == made.path.stat().st_size
    for n in (1, 2, 4, 33):
        assert differing(model, made.path, windows_of(model, n)) <= 1e-4


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("rhythm_net", {"layers": 2, "pool": "average", "skip": False, "ratio": 0}),
        ("gru", {"depth": 2, "bidirectional": False, "pool": "attention"}),
        ("lstm", {"depth": 2}),
    ],
)
def test_other_forms_of_recurrent_networks_answer_the_same(name, more, tmp_path):
    model = network(name, **more)
    path = export.onnx(model, tmp_path / "a.onnx").path
    assert differing(model, path, windows_of(model, 9)) <= 1e-4


def test_a_padded_recording_is_judged_alone_whatever_lies_beside_it(traced):
    model, path = network("rhythm_net"), traced("rhythm_net").path
    x = windows_of(model, 12)
    x[5, :, 70:] = 0
    together, alone = export.predict(path, x)[5:6], export.predict(path, x[5:6])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    other = x[5:6].copy()
    other[..., 70:] = 1
    assert np.abs(export.predict(path, other) - alone).max() > 1e-4


@pytest.mark.parametrize("name", sorted(BEATS & {"linear", "spectrogram_cnn"}))
def test_networks_for_beats_need_no_numbers_beside_the_signal(name, tmp_path):
    model = network(name, n_features=0)
    path = export.onnx(model, tmp_path / "a.onnx").path
    assert differing(model, path, windows_of(model, 5)) <= 1e-4


def test_the_autocorrelation_is_to_the_bit_what_it_was():
    torch.manual_seed(0)
    branch, x = RhythmBranch(2, 250, n_features=3).eval(), torch.randn(4, 2, 250)
    centred = x - x.mean(dim=-1, keepdim=True)
    power = torch.fft.rfft(centred, 500).abs().square()
    lags = torch.fft.irfft(power)[..., : branch.n_lags]
    assert torch.equal(branch(x), branch.stages(lags / (lags[..., :1] + 1e-3)))


def test_the_model_itself_is_left_as_it_was(tmp_path):
    model = network("gru").train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    export.onnx(model, tmp_path / "a.onnx")
    assert model.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_recurrent_layer_is_one_operation(traced):
    assert [n.op_type for n in onnx.load(traced("gru").path).graph.node].count("GRU") == 1


def test_a_file_is_the_same_each_time_and_names_no_file_of_this_computer(traced, tmp_path):
    first = traced("linear").path.read_bytes()
    second = export.onnx(network("linear"), tmp_path / "again.onnx").path.read_bytes()
    assert first == second
    assert b"site-packages" not in first and b".py" not in first


# what is refused


class Sorting(nn.Module):
    n_leads, n_samples = 1, 8

    def forward(self, x):
        return x.flatten(1) if x.sum().item() > 0 else -x.flatten(1)


def test_a_network_without_an_onnx_form_is_refused_in_a_line(tmp_path):
    with pytest.raises(ValueError, match=r"^Sorting: has no ONNX form \(.*\)$"):
        export.onnx(Sorting(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_of_unknown_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Linear: need a network of ecglib.models, it has no n_l"):
        export.onnx(nn.Linear(2, 2), tmp_path / "a.onnx")


def test_nothing_is_written_if_the_answers_differ(tmp_path, monkeypatch):
    predict = exporting.predict
    monkeypatch.setattr(exporting, "predict", lambda *a, **k: predict(*a, **k) + 2e-4)
    with pytest.raises(ValueError, match="Linear: need answers of the ONNX form within 0.0001"):
        export.onnx(network("linear"), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_path_must_end_in_onnx_and_lie_in_a_folder(tmp_path):
    with pytest.raises(ValueError, match="need a file name that ends in .onnx"):
        export.onnx(network("linear"), tmp_path / "a.bin")
    with pytest.raises(ValueError, match="need a folder that exists"):
        export.onnx(network("linear"), tmp_path / "nowhere" / "a.onnx")


def test_what_is_no_onnx_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a.onnx: need an ONNX file, there is none"):
        export.predict(tmp_path / "a.onnx", np.zeros((1, 1, 8)))
    (tmp_path / "a.onnx").write_text("no network")
    with pytest.raises(ValueError, match=r"a.onnx: need a network in ONNX \("):
        export.predict(tmp_path / "a.onnx", np.zeros((1, 1, 8)))
    other = onnx.load_from_string(foreign())
    onnx.save(other, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=r"b.onnx: need an ONNX file written by ecglib"):
        export.int8(tmp_path / "b.onnx", tmp_path / "c.onnx")


def foreign() -> bytes:
    """An ONNX file of somebody else."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(n, kind, ["batch", 1, 8]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


# published models, eight bits, time


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> datasets.Windows:
    return tiny.windows(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def kept(windows, tmp_path_factory) -> published.Published:
    """A network that has learnt to tell the classes of the tiny windows."""
    folder = tmp_path_factory.mktemp("models")
    config = RunConfig(
        model="cnn",
        data=windows.hash,
        train=TrainConfig(epochs=4, batch_size=16, device="cpu"),
    )
    run = runs.run(config, windows, folder=folder / "runs", progress=False)
    return published.load(
        published.keep(run, windows, folder, name="shock-tiny", weights=(0.4, 0.6))
    )


@pytest.fixture(scope="module")
def exported(kept, windows, tmp_path_factory) -> export.Exported:
    folder = tmp_path_factory.mktemp("exported")
    return export.onnx(kept, folder / "shock.onnx", x=windows.signal[:20])


def test_the_file_tells_how_to_use_it(exported, kept):
    told = export.about(exported.path)
    assert told["form"] == "onnx" and told["name"] == "shock-tiny" and told["fs"] == 250.0
    assert told["classes"] == list(kept.classes) and told["weights"] == [0.4, 0.6]
    assert told["preparation"] == json.loads(json.dumps(kept.preparation))
    ready = export.session(exported.path)
    assert [(i.name, i.shape) for i in ready.get_inputs()] == [("signal", ["batch", 1, 250])]
    assert [(o.name, o.shape) for o in ready.get_outputs()] == [("logits", ["batch", 2])]


def test_the_card_of_the_model_lies_beside_the_file(exported, kept):
    text = exported.card.read_text()
    assert exported.card == exported.path.with_suffix(".md")
    before, use, _ = (kept.folder / "card.md").read_text().partition("## How to use it")
    own = before.replace("its `config.json` says", "the file's own notes say")
    assert use and text.startswith(own.rstrip()) and "published.load" not in text
    assert "custom_metadata_map['ecglib']" in text
    assert "## This file" in text and "`shock.onnx`: ONNX, opset 18" in text


def test_windows_of_another_shape_are_refused(exported):
    with pytest.raises(ValueError, match=r"need windows \(n, 1, 250\), got \(2, 1, 200\)"):
        export.predict(exported.path, np.zeros((2, 1, 200)))


@pytest.mark.parametrize("calibrated", [True, False])
def test_eight_bits_are_smaller_and_answer_nearly_the_same(calibrated, exported, windows, tmp_path):
    x = windows.signal[:96] if calibrated else None
    made = export.int8(exported.path, tmp_path / "small.onnx", x=x, test=windows)
    assert made.n_bytes < (0.6 if calibrated else 0.75) * exported.n_bytes
    assert 0 < made.difference < 1
    assert export.about(made.path)["form"] == "int8"
    found = export.loss(exported.path, made.path, windows, weights=(0.4, 0.6), n=50)
    assert found["agreement"] > 0.95 and found["windows"] == (windows.label >= 0).sum()
    assert abs(found["macro_recall"]["lost"]["value"]) < 0.05
    for n in (1, 3):
        assert export.predict(made.path, windows.signal[:n]).shape == (n, 2)
    text = made.card.read_text()
    assert text.count("## This file") == 1 and "opset" not in text
    assert "weights of eight bits" in text and f"Lost by it on {found['windows']} windows" in text


def test_a_recurrent_network_is_made_smaller_too(traced, tmp_path):
    before = traced("cnn_lstm")
    after = export.int8(before.path, tmp_path / "b.onnx")
    assert after.n_bytes < 0.7 * before.n_bytes and after.card is None
    assert after.difference < 0.1


def test_a_file_against_itself_loses_nothing(exported, windows):
    found = export.loss(exported.path, exported.path, windows, n=50)
    assert found["accuracy"]["lost"] == {"value": 0, "low": 0, "high": 0}
    assert (found["agreement"], found["difference"]) == (1, 0)
    logits = export.predict(exported.path, windows.signal[windows.label >= 0])
    right = (logits.argmax(1) == windows.label[windows.label >= 0]).mean()
    assert found["accuracy"]["before"]["value"] == pytest.approx(right) and right > 0.9


def test_a_network_that_was_spoilt_shows_in_the_loss(exported, windows):
    proto = onnx.load(exported.path)
    bias = next(t for t in proto.graph.initializer if t.name == "head.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.float32([-50, 50]), "head.bias"))
    found = export.loss(exported.path, proto.SerializeToString(), windows, n=50)
    assert found["macro_recall"]["lost"]["value"] > 0.4 and found["difference"] > 0.9


def test_calibration_needs_windows_of_the_network(exported, tmp_path):
    with pytest.raises(ValueError, match=r"shock.onnx: need windows \(n, 1, 250\), got \(9, 1, 2"):
        export.int8(exported.path, tmp_path / "small.onnx", x=np.zeros((9, 1, 20)))
    assert not list(tmp_path.iterdir())


def test_a_loss_needs_labels(exported, windows):
    with pytest.raises(ValueError, match="need labelled windows to measure a loss, got none"):
        export.loss(exported.path, exported.path, windows.take(windows.label < 0))


def test_size_and_time_stand_side_by_side(exported, kept, windows, tmp_path):
    small = export.int8(exported.path, tmp_path / "small.onnx", x=windows.signal[:32])
    models = {"network": kept.network(), "file": exported.path, "small": small.path}
    threads = torch.get_num_threads()
    table = export.measure(models, windows.signal[:5], batch_size=8, repeats=3, progress=False)
    assert isinstance(table, pd.DataFrame) and torch.get_num_threads() == threads
    assert table["name"].tolist() == list(models)
    assert table["form"].tolist() == ["torch", "onnx", "int8"]
    assert table["bytes"].tolist()[1:] == [exported.n_bytes, small.n_bytes]
    weights = 4 * sum(p.numel() for p in models["network"].parameters())
    assert table["bytes"][0] == weights
    assert (table["low_ms"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["high_ms"]).all() and (table["batch_ms"] > 0).all()
    np.testing.assert_allclose(table["windows_per_s"], 1000 / table["batch_ms"])
