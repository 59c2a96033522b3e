"""Yardsticks and borrowed recordings for the page on recordings of one's own."""

import numpy as np
import pytest
import wfdb

from ecglib import own, paths, runs
from ecglib.tasks import practice, results, ways

FS = 300


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Windows of ten people and a network that saw them for one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLIB_DATA", str(folder / "data"))
        made = own.generate(folder, n_patients=10, formats=("edf", "csv"), duration_s=60, seed=1)
        shape = {"window_s": 5.0, "window_rate": 125.0}
        sets = {
            name: own.windows(
                path, own.read_settings(path / "settings.yml", **shape), progress=False
            )
            for name, path in made.items()
        }
        config = ways.config(sets["edf"], "tiny_cnn", given={"train": {"epochs": 1}})
        run = runs.run(config, sets["edf"], folder=folder / "runs", progress=False)
    return sets, run


def test_a_network_stands_beside_a_rule_and_the_commonest_class(trained):
    sets, run = trained
    found = practice.beside(run, sets["edf"])
    gap = found.pop("network − rule")
    assert list(found) == [practice.NETWORK, practice.LINEAR, practice.NAIVE]
    reached = results.evaluate(run, sets["edf"]).scores["macro_recall"]
    assert found[practice.NETWORK] == reached
    assert found[practice.NAIVE]["value"] == 0.5
    assert found[practice.LINEAR]["value"] > 0.7  # intervals tell fibrillation
    difference = found[practice.NETWORK]["value"] - found[practice.LINEAR]["value"]
    assert gap["value"] == pytest.approx(difference)


def test_the_same_recordings_from_two_formats_come_to_the_same(trained):
    sets, run = trained
    table = practice.alike(sets, run)
    assert table.at["edf", "largest difference (mV)"] == 0
    assert 0 < table.at["csv", "largest difference (mV)"] < 1e-3
    assert table["decided otherwise"].eq(0).all()
    few = sets["csv"].take(np.arange(5))
    with pytest.raises(ValueError, match="csv has others"):
        practice.alike({"edf": sets["edf"], "csv": few}, run)


def test_a_mistaken_unit_is_counted_against_the_windows_as_they_are(trained):
    sets, run = trained
    table = practice.miscalled(run, sets["edf"], {"right": 1, "flat": 0})
    reached = results.evaluate(run, sets["edf"]).scores["macro_recall"]["value"]
    assert table.at["right", "balanced accuracy"] == reached
    assert table.at["right", "decided otherwise"] == 0
    assert table.at["flat", "balanced accuracy"] == 0.5  # one answer for all


@pytest.fixture
def challenge():
    """Four normal recordings, two of them the same, and three of fibrillation."""
    folder = paths.data() / "challenge-2017"
    folder.mkdir(parents=True)
    lines = []
    for number, label in enumerate("NNNNAAAO", 1):
        name, seed = f"A{number:05d}", 1 if number == 2 else number
        t = np.arange(10 * FS) / FS
        x = np.exp(-(((t + seed / 50) % 0.8 - 0.4) ** 2) / 1e-3)
        wfdb.wrsamp(name, fs=FS, units=["mV"], sig_name=["ECG"], p_signal=x[:, None], fmt=["16"],
                    write_dir=str(folder))  # fmt: skip
        (folder / f"{name}.dat").rename(folder / f"{name}.mat")
        header = folder / f"{name}.hea"
        header.write_text(header.read_text().replace(".dat", ".mat"))
        lines.append(f"{name},{label}\n")
    (folder / "REFERENCE-v3.csv").write_text("".join(lines))


def test_real_recordings_are_laid_out_by_label_without_copies(challenge, tmp_path):
    folder, n = practice.lend(tmp_path / "lent", n=3)
    assert n == 6
    names = {p.stem for p in folder.rglob("*.hea")}
    assert not {"A00001", "A00002"} <= names and "A00008" not in names
    report = own.check(folder, own.read_settings(folder / "settings.yml"))
    assert report.problems == () and report.duplicates == ()
    assert {k: v["recordings"] for k, v in report.classes.items()} == {
        "fibrillation": 3,
        "normal": 3,
    }


def test_more_than_there_are_or_a_folder_that_is_there_is_refused(challenge, tmp_path):
    with pytest.raises(ValueError, match="need 4 recordings of N"):
        practice.lend(tmp_path / "lent", n=4)
    assert not (tmp_path / "lent").exists()
    (tmp_path / "lent").mkdir()
    with pytest.raises(ValueError, match="need a new folder"):
        practice.lend(tmp_path / "lent", n=1)
