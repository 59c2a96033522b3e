"""Mistakes that are planted in a folder, and what a check tells of them."""

import numpy as np
import pandas as pd
import pytest

from ecglib import own
from ecglib.own import mistakes


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("practice")
    clean = own.generate(folder, n_patients=8, formats=("edf",), seed=1)["edf"]
    return clean, folder / "spoilt", mistakes.plant(clean, folder / "spoilt")


def report(folder):
    return own.check(folder, own.read_settings(folder / "settings.yml"))


def test_a_check_tells_of_every_mistake_and_of_none_in_the_clean_folder(folders):
    clean, spoilt, planted = folders
    told = mistakes.found(planted, report(spoilt))["told"]
    assert len(planted) == 6 and (told != "").all(), told
    assert "patient name" in told["a person in the header"]
    assert "uV" in told["microvolts called millivolts"]
    assert not report(spoilt).ready
    assert report(clean).ready
    assert (mistakes.found(planted, report(clean))["told"] == "").all()


def test_the_report_repeats_neither_the_name_nor_the_date(folders):
    _, spoilt, planted = folders
    word = mistakes.PERSON.split()[0]
    assert any(word.encode() in path.read_bytes() for path in spoilt.iterdir())
    for text in (report(spoilt).text(), str(report(spoilt).as_dict())):
        assert word not in text and str(mistakes.BORN) not in text
    dated = next(one.file for one in planted if one.kind == "a date in the file name")
    assert str(mistakes.BORN) in dated


def test_only_the_files_that_are_named_differ_from_the_clean_folder(folders):
    clean, spoilt, planted = folders
    named = {one.file for one in planted}
    for path in clean.glob("*.edf"):
        twin = spoilt / path.name
        same = twin.exists() and twin.read_bytes() == path.read_bytes()
        copied = path.name == "p003_a.edf"  # is there a second time, and itself unchanged
        assert same == (path.name not in named | {"p001_a.edf"} or copied)


def test_an_electrode_that_fell_off_leaves_the_rest_as_it_was(folders):
    clean, spoilt, planted = folders
    name = next(one.file for one in planted if "electrode" in one.kind)
    before, after = (own.recording(folder / name).signal[0] for folder in (clean, spoilt))
    a, b = (int(s * 250) for s in mistakes.FLAT_S)
    assert np.ptp(after[a:b]) == 0
    np.testing.assert_allclose(np.delete(after, range(a, b)), np.delete(before, range(a, b)),
                               atol=1e-3)  # fmt: skip


def test_labels_go_on_naming_recordings_that_are_there(folders):
    _, spoilt, _ = folders
    names = set(pd.read_csv(spoilt / "labels.csv")["file"])
    assert names == {path.name for path in spoilt.glob("*.edf")}


def test_too_few_recordings_or_a_folder_that_is_there_are_refused(folders, tmp_path):
    clean, spoilt, _ = folders
    with pytest.raises(ValueError, match="need a new folder"):
        mistakes.plant(clean, spoilt)
    (tmp_path / "few").mkdir()
    with pytest.raises(ValueError, match="need at least 6 EDF recordings, got 0"):
        mistakes.plant(tmp_path / "few", tmp_path / "new")
