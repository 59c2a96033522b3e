import json

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from ecglib import chapter, datasets, fetch, paths
from ecglib.chapter import open_chapter


@pytest.fixture
def page():
    return open_chapter("exercise_03", profile="demo", source="synthetic")


@pytest.fixture
def fetched(monkeypatch):
    monkeypatch.setattr(fetch, "available", lambda name: True)


@pytest.fixture
def figure():
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.plot([0, 1])
    return fig


def test_a_demo_writes_apart_from_published_results(page):
    assert page.out == paths.demo("exercise_03")
    assert not page.published


def test_only_a_full_run_on_real_recordings_is_published(fetched):
    full = open_chapter("exercise_03", profile="full", source="real")
    assert full.published
    assert full.out == paths.published("exercise_03")
    assert full.ledger == paths.outs() / "runs"
    assert not open_chapter("exercise_03", profile="demo", source="real").published
    assert not open_chapter("exercise_03", profile="full", source="synthetic").published


def test_auto_is_synthetic_until_every_database_is_there(monkeypatch):
    assert open_chapter("exercise_03").source == "synthetic"
    monkeypatch.setattr(fetch, "available", lambda name: name != "cudb")
    assert open_chapter("exercise_03").source == "synthetic"
    monkeypatch.setattr(fetch, "available", lambda name: True)
    assert open_chapter("exercise_03").source == "physionet"


def test_insisting_on_real_recordings_names_what_is_missing():
    with pytest.raises(FileNotFoundError, match=r"vfdb.*make data"):
        open_chapter("exercise_03", source="real")


def test_an_unknown_exercise_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"exercise_03.*got 'exercise_99'"):
        open_chapter("exercise_99")


def test_a_figure_is_saved_the_same_twice_without_a_version_stamp(page, figure):
    page.save("wave", figure, alt="A line that rises")
    first = (page.out / "wave.png").read_bytes()
    page.save("wave", figure, alt="A line that rises")
    assert first == (page.out / "wave.png").read_bytes()
    assert b"Software" not in first
    assert not plt.get_fignums()
    assert [p.name for p in page.out.iterdir()] == ["wave.png"]


def test_a_figure_is_shown_with_its_alt_text(page, figure, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    page.save("wave", figure, alt="A line that rises")
    data, metadata = shown[0]._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "A line that rises"


@pytest.mark.parametrize(("name", "alt"), [("wave", " "), ("wave.png", "x"), ("a/b", "x")])
def test_a_figure_without_alt_text_or_with_a_path_for_a_name_is_refused(page, figure, name, alt):
    with pytest.raises(ValueError, match="alt text|plain file name"):
        page.save(name, figure, alt=alt)


def test_a_figure_that_cannot_be_written_leaves_nothing_behind(page, figure, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        page.save("wave", figure, alt="A line")
    assert list(page.out.iterdir()) == []


def test_nothing_has_no_minus():
    assert chapter.interval({"value": 0.036, "low": -0.0002, "high": 0.07}) == "3.6 (0.0 to 7.0)"


def test_the_banner_tells_profile_and_recordings(page):
    about = {"patient": ["a", "a", "b"], "record": ["1", "2", "3"], "database": "synthetic"}
    table = pd.DataFrame(about)
    windows = datasets.Windows(
        signal=np.zeros((3, 1, 4), np.float32),
        label=np.zeros(3, int),
        table=table,
        fs=250,
        classes=("a", "b"),
        task="shock",
    )
    line = page.banner(windows)
    assert "`demo`" in line
    assert "synthetic" in line
    assert "3 windows of 2 patients" in line
    rhythms = page.banner(datasets.Windows(**{**vars(windows), "task": "rhythms"}))
    assert "3 windows of 3 recordings" in rhythms
    assert "\n" not in line


def test_metrics_are_merged_protocol_by_protocol(page):
    page.write_metrics({"protocols": {"patient": {"models": {"cnn": {}}}}, "data": {"vfdb": {}}})
    page.write_metrics({"protocols": {"old": {"models": {}}}})
    page.write_metrics({"protocols": {"5fold": {"models": {"gru": {}}}, "old": None, "none": None}})
    metrics = json.loads((page.out / "metrics.json").read_text())
    assert set(metrics["protocols"]) == {"patient", "5fold"}
    assert set(metrics["data"]) == {"vfdb"}
    assert metrics["source"] == "synthetic"
    assert metrics["profile"] == "demo"
    assert "torch" in metrics["made_with"]


def test_metrics_hold_plain_numbers_and_null_for_what_is_not_known(page):
    page.write_metrics({"selected": {"threshold": np.float32(0.5), "n": np.int64(3), "f1": np.nan}})
    assert page.read_metrics()["selected"] == {"threshold": 0.5, "n": 3, "f1": None}


def test_metrics_of_another_profile_are_not_mixed_in(page):
    other = open_chapter("exercise_03", profile="test", source="synthetic")
    other.write_metrics({"protocols": {"old": {}}})
    page.write_metrics({"protocols": {"new": {}}})
    assert set(page.read_metrics()["protocols"]) == {"new"}


def test_an_unknown_key_of_metrics_is_refused(page):
    with pytest.raises(ValueError, match=r"protocols.*got scores"):
        page.write_metrics({"scores": {}})


def test_damaged_metrics_are_named(page):
    page.out.mkdir(parents=True)
    (page.out / "metrics.json").write_text("{")
    with pytest.raises(ValueError, match=r"metrics\.json: need JSON"):
        page.read_metrics()


def test_words_follow_from_numbers():
    assert chapter.higher(0.912, 0.9) == "higher"
    assert chapter.higher(0.9, 0.912) == "lower"
    assert chapter.higher(0.90001, 0.90002) == "equal"
    assert chapter.difference({"value": 0.1, "low": 0.02, "high": 0.2}) == "higher"
    assert chapter.difference({"value": -0.1, "low": -0.2, "high": -0.02}) == "lower"
    assert chapter.difference({"value": 0.1, "low": -0.02, "high": 0.2}) == "no clear difference"
    assert chapter.difference({"value": 0.1, "low": np.nan, "high": 1}) == "no known difference"
    assert chapter.interval({"value": 0.981, "low": 0.972, "high": 0.989}) == "98.1 (97.2 to 98.9)"
    assert chapter.interval({"value": 0.981, "low": None, "high": None}) == "98.1"
    assert chapter.interval({"value": 0.1, "low": 0, "high": 0.2}, scale=1) == "0.1 (0.0 to 0.2)"
    assert chapter.percent(0.5) == "50.0 %"
    assert chapter.percent(float("nan")) == "–"
    assert chapter.plural(1, "window") == "1 window"
    assert chapter.plural(1234, "window") == "1,234 windows"
    assert chapter.plural(2, "history", "histories") == "2 histories"
    assert chapter.listed(["a", "b", "c"]) == "a, b and c"
    assert chapter.listed(["a"]) == "a"
    assert chapter.listed([]) == ""


def test_say_shows_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    chapter.say("**bold**")
    assert shown[0].data == "**bold**"


def test_real_windows_name_their_databases(fetched):
    page = open_chapter("exercise_03", profile="full", source="real")
    table = pd.DataFrame({"patient": ["a", "b"], "database": ["vfdb", "cudb"]})
    stand_in = type("Stand", (), {"table": table, "task": "shock", "__len__": lambda self: 2})()
    assert "(cudb and vfdb)" in page.banner(stand_in)
