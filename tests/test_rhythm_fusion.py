"""What a network says of windows becomes one decision a recording."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from tiny_rhythms import CLASSES, a_run, recordings

from ecglib.rhythms import challenge, fusion


@pytest.fixture(scope="module")
def windows():
    return recordings()


@pytest.fixture(scope="module")
def features(windows):
    return fusion.record_features(a_run(windows, tilt=1.5), windows)


def without(features: pd.DataFrame, split: str, label: int) -> pd.DataFrame:
    return features[(features["split"] != split) | (features["label"] != label)]


def test_a_record_has_a_row_with_the_means_of_its_windows(windows):
    run = a_run(windows)
    found = fusion.record_features(run, windows)
    assert len(found) == windows.table["record"].nunique()
    name = "A00004"  # of five windows
    row = found.set_index("record").loc[name]
    rows = np.flatnonzero(windows.table["record"] == name)
    z = run.predictions[["logit_0", "logit_1", "logit_2"]].to_numpy(float)[rows]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert row["n_windows"] == len(rows) == 5
    np.testing.assert_allclose([row[f"mean_p_{i}"] for i in range(3)], p.mean(axis=0))
    np.testing.assert_allclose([row[f"log_p_{i}"] for i in range(3)], np.log(p).mean(axis=0))
    votes = np.bincount(p.argmax(axis=1), minlength=3) / 5
    np.testing.assert_allclose([row[f"vote_{i}"] for i in range(3)], votes)
    assert row["label"] == windows.label[rows[0]] and row["patient"] == name


def test_predictions_in_any_order_give_the_same_features(windows, features):
    run = a_run(windows, tilt=1.5)
    mixed = replace(run, predictions=run.predictions.sample(frac=1, random_state=0))
    other = fusion.record_features(mixed, windows).set_index("record").loc[features["record"]]
    np.testing.assert_allclose(other["log_p_1"], features["log_p_1"])


def test_windows_of_another_set_are_refused(windows):
    with pytest.raises(ValueError, match="need windows .* for run .*, got"):
        fusion.record_features(a_run(windows), recordings(version=1))


@pytest.mark.parametrize("column, value", [("label", 9), ("split", "elsewhere")])
def test_a_record_with_two_labels_or_in_two_sets_is_refused(windows, column, value):
    run = a_run(windows)
    changed = run.predictions.copy()
    changed.loc[14, column] = value  # the last of five windows
    with pytest.raises(ValueError, match=f"need one {column} a record, got several of A00004"):
        fusion.record_features(replace(run, predictions=changed), windows)


@pytest.mark.parametrize("how", fusion.FUSIONS)
def test_every_fusion_decides_every_record_with_probabilities(features, how):
    found = fusion.decide(features, how)
    p = fusion.of(found, "p")
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == found["pred"]).all()
    assert found["record"].equals(features["record"])


def test_one_window_that_is_sure_outweighs_in_the_logarithm_and_not_in_the_vote():
    p = np.array([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [1e-4, 0.999, 0.0]]) + 1e-9
    columns = {"mean_p": p.mean(axis=0), "log_p": np.log(p).mean(axis=0), "vote": [2 / 3, 1 / 3, 0]}
    row = {f"{kind}_{i}": v for kind, values in columns.items() for i, v in enumerate(values)}
    about = {"record": "a", "patient": "a", "split": "test", "label": 0}
    one = pd.DataFrame([about | row])
    said = {how: fusion.decide(one, how)["pred"][0] for how in fusion.FUSIONS[:3]}
    assert said == {"mean p": 1, "mean log p": 1, "vote": 0}


def test_equal_votes_are_decided_by_the_mean_probability():
    columns = {"mean_p": (0.3, 0.5, 0.2), "log_p": (-1, -1, -1), "vote": (0.5, 0.5, 0)}
    row = {f"{kind}_{i}": v for kind, values in columns.items() for i, v in enumerate(values)}
    one = pd.DataFrame([{"record": "a", "patient": "a", "split": "test", "label": 0} | row])
    assert fusion.decide(one, "vote")["pred"][0] == 1


def test_taking_the_prior_out_brings_rare_classes_back(features):
    _, alpha = fusion.tilted([features])
    assert alpha > 0.2
    seen = features["split"] == "test"
    plain, corrected = (
        fusion.decide(features, how)[seen] for how in ("mean log p", "prior-corrected")
    )
    assert (corrected["pred"] == 2).sum() > (plain["pred"] == 2).sum()


def test_alpha_comes_from_validation_records_and_the_prior_from_training_records(features):
    def alpha(table: pd.DataFrame) -> float:
        return fusion.tilted([table])[1]

    upset = features.copy()
    upset.loc[upset["split"] == "test", "log_p_0"] -= 5
    assert alpha(upset) == alpha(features)
    upset.loc[upset["split"] == "validation", "log_p_0"] -= 1.5
    assert alpha(upset) < alpha(features)


def test_where_every_alpha_does_as_well_none_is_taken_out():
    label = np.array([0, 1, 2])
    assert fusion.choose_alpha(label, 50 * np.eye(3), np.log([0.6, 0.3, 0.1])) == 0


@pytest.mark.parametrize("how, split", [("learned", "train"), ("learned, honest", "validation")])
def test_the_learned_fusion_is_a_regression_without_intercept_on_one_set(features, how, split):
    seen = features["split"] == split
    x = np.exp(features[["log_p_0", "log_p_1", "log_p_2"]].to_numpy())
    reference = LogisticRegression(fit_intercept=False, max_iter=1000)
    reference.fit(x[seen], features["label"][seen])
    p, want = fusion.of(fusion.decide(features, how), "p"), reference.predict_proba(x)
    others = features["split"] != "validation"  # which are decided by fifths
    np.testing.assert_allclose(p[others], want[others], atol=1e-6)


def test_fifths_divide_the_validation_records_by_patient_in_any_order(features):
    folds = list(fusion.fifths(features))
    parts = np.concatenate([part for _, part in folds])
    assert sorted(parts) == np.flatnonzero(features["split"] == "validation").tolist()
    for others, part in folds:
        assert set(features["patient"][part]).isdisjoint(features["patient"][others])
        assert set(features["label"][part]) == {0, 1, 2}
    mixed = features.sample(frac=1, random_state=0).reset_index(drop=True)
    names = [set(features["record"][part]) for _, part in folds]
    assert [set(mixed["record"][part]) for _, part in fusion.fifths(mixed)] == names


@pytest.mark.parametrize("how", ["prior-corrected", "learned, honest"])
def test_validation_records_are_decided_without_their_own_labels(features, how, monkeypatch):
    folds = list(fusion.fifths(features))
    monkeypatch.setattr(fusion, "fifths", lambda about: folds)
    p = fusion.of(fusion.decide(features, how), "p")
    elsewhere = []
    for _, part in folds:
        upset = features.copy()
        upset.loc[part, "label"] = 2
        again = fusion.of(fusion.decide(upset, how), "p")
        np.testing.assert_allclose(again[part], p[part])
        elsewhere.append(np.abs(again - p)[features["split"] == "test"].max())
    assert max(elsewhere) > 0.01  # all others hear of it


def test_too_few_validation_records_for_fifths_are_decided_as_all_the_others(features):
    rare = features.index[(features["split"] == "validation") & (features["label"] == 2)]
    few = features.drop(index=rare[3:]).reset_index(drop=True)
    assert not list(fusion.fifths(few))
    z, alpha = fusion.tilted([few])
    log_p, log_prior = fusion.with_prior([few])
    np.testing.assert_allclose(z, log_p - alpha * log_prior)


def test_three_networks_side_by_side_are_nine_values_in_any_order(windows):
    several = [
        fusion.record_features(a_run(windows, seed=seed, noise=3), windows) for seed in range(3)
    ]
    shuffled = [several[0], *(one.sample(frac=1, random_state=1) for one in several[1:])]
    a, b = (fusion.decide(members, "learned") for members in (several, shuffled))
    pd.testing.assert_frame_equal(a, b)
    seen = a["split"] == "test"
    f1 = [challenge.challenge_f1(a["label"][seen], d["pred"][seen])
          for d in (a, *(fusion.decide(one, "learned") for one in several))]  # fmt: skip
    assert f1[0] > max(f1[1:])


def test_several_networks_are_averaged_where_nothing_is_learned(windows):
    several = [fusion.record_features(a_run(windows, seed=seed), windows) for seed in range(2)]
    p = fusion.of(fusion.decide(several, "mean p"), "p")
    mean = (fusion.of(several[0], "mean_p") + fusion.of(several[1], "mean_p")) / 2
    np.testing.assert_allclose(p, mean)


def test_runs_over_other_records_or_sets_are_refused(features):
    with pytest.raises(ValueError, match="need runs over the same records, sets and labels"):
        fusion.decide([features, features.iloc[1:]], "mean p")
    other = features.assign(split="test")
    first = features.loc[features["split"] != "test", "record"].iloc[0]
    with pytest.raises(ValueError, match=f"sets and labels, got .* records, {first} differs"):
        fusion.decide([features, other], "mean p")
    with pytest.raises(ValueError, match="need the features of at least one run"):
        fusion.decide([], "mean p")


@pytest.mark.parametrize(
    "how, split", [("learned", "train"), ("learned, honest", "validation"),
                   ("prior-corrected", "train"), ("prior-corrected", "validation")]
)  # fmt: skip
def test_a_set_that_lacks_a_class_cannot_be_fitted_on(features, how, split):
    with pytest.raises(ValueError, match=f"need records of every class in {split}, got none of A"):
        fusion.decide(without(features, split, 2), how)


def test_an_unknown_fusion_is_refused(features):
    with pytest.raises(ValueError, match="need a fusion of mean p, .*, got 'luck'"):
        fusion.decide(features, "luck")


def test_noise_as_a_fourth_class_goes_through_every_fusion():
    windows = recordings(classes=(*CLASSES, "~"))
    found = fusion.record_features(a_run(windows, noise=0.5), windows)
    for how in fusion.FUSIONS:
        decided = fusion.decide(found, how)
        assert fusion.of(decided, "p").shape[1] == 4 and set(decided["pred"]) == {0, 1, 2, 3}
