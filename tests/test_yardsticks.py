"""What every network is held against."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from ecglib import datasets, metrics, signals, study, yardsticks


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> datasets.Windows:
    return tiny.windows(tmp_path_factory.mktemp("windows"))


def test_never_advising_a_shock_misses_every_one_and_harms_nobody():
    scores = yardsticks.naive(np.array([0, 0, 0, 1]))
    assert scores["sensitivity"]["value"] == 0
    assert scores["specificity"]["value"] == 1
    assert scores["balanced_accuracy"]["value"] == 0.5
    assert scores["accuracy"]["value"] == 0.75
    assert np.isnan([scores["accuracy"]["low"], scores["accuracy"]["high"]]).all()


def test_a_linear_model_learns_what_amplitude_tells(windows):
    fitted = yardsticks.linear(windows)
    assert study.plain_scores(fitted)["balanced_accuracy"] == 1.0
    assert {"seed", "row", "label", "score", "threshold", "shock", "patient"} <= set(fitted)


def test_the_linear_model_does_not_learn_from_what_it_is_tested_on(windows):
    fitted = yardsticks.linear(windows)
    test = np.isin(windows.table["patient"], fitted["patient"].unique())
    flipped = replace(
        windows, label=np.where(test & (windows.label >= 0), 1 - windows.label, windows.label)
    )
    again = yardsticks.linear(flipped)
    np.testing.assert_array_equal(again["score"], fitted["score"])
    np.testing.assert_array_equal(again["threshold"], fitted["threshold"])


def test_simple_features_are_those_of_the_table_or_of_the_signal(tmp_path):
    windows = datasets.shock_windows(source="synthetic", n_patients=2, progress=False)
    bare = replace(windows, table=windows.table.drop(columns=["narrowness", "organisation"]))
    features = yardsticks.simple_features(windows)
    assert features.shape == (len(windows), 4)
    np.testing.assert_allclose(yardsticks.simple_features(bare), features)
    np.testing.assert_allclose(
        features[:, 0] * 100, signals.rate_per_min(windows.signal[:, 0], fs=windows.fs)
    )


def test_published_figures_are_balanced_as_they_say():
    for found in yardsticks.PUBLISHED.values():
        mean = (found["sensitivity"] + found["specificity"]) / 2
        assert found["balanced_accuracy"] == pytest.approx(mean, abs=0.0011)


def test_the_ladder_climbs_from_the_naive_rule_to_the_networks(windows):
    network = {name: {"value": 0.9, "low": 0.8, "high": 1.0} for name in metrics.BINARY}
    ladder = yardsticks.ladder({"models": {"mlp": {"test": network}}}, windows)
    assert list(ladder) == [yardsticks.NAIVE, yardsticks.LINEAR, "mlp"]
    assert ladder[yardsticks.NAIVE]["value"] == 0.5
    assert ladder["mlp"]["value"] == 0.9
    assert set(ladder[yardsticks.LINEAR]) == {"value", "low", "high"}
