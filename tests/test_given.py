"""Settings that a person writes."""

import pytest

from ecglib.given import deal, nearest, parsed, typed


def test_a_setting_is_a_name_and_a_value_as_yaml_has_it():
    assert parsed(["epochs=3", "model=gru", "deep=true", "to=a=b"]) == {
        "epochs": 3, "model": "gru", "deep": True, "to": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize("pairs", [["epochs"], ["=3"], ["a=1", "a=2"], ["a=["]])
def test_what_is_no_setting_is_refused_as_it_was_written(pairs):
    with pytest.raises(ValueError, match=pairs[-1].replace("[", r"\[")):
        parsed(pairs)


def test_a_setting_goes_to_the_first_group_that_knows_it():
    groups = [{"a": 1}, {"a": 2.0, "b": 0.5}]
    assert deal({"a": 3, "b": 1}, groups) == [{"a": 3}, {"b": 1.0}]


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(ValueError, match="unknown setting 'epoch': did you mean 'epochs'"):
        deal({"epoch": 3}, [{"epochs": 1, "lr": 0.1}])
    with pytest.raises(ValueError, match="there are epochs, lr"):
        deal({"zzz": 3}, [{"epochs": 1, "lr": 0.1}])
    assert nearest("CNN", ["cnn", "gru"]) == ": did you mean 'cnn'?"


@pytest.mark.parametrize(
    ("value", "default", "wanted"),
    [
        ("1e-3", 0.1, 1e-3),  # which YAML takes for a word
        (3, 0.1, 3.0),
        (3.0, 1, 3),
        (False, True, False),
        ("scale, noise", (), ("scale", "noise")),
        ("none", ("scale",), ()),
        (["a", "b"], (), ("a", "b")),
        (5, "", "5"),
        ("II", None, "II"),
    ],
)
def test_a_value_becomes_what_its_default_is(value, default, wanted):
    found = typed("x", value, default)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("value", "default", "needed"),
    [
        ("x", 1, "a number"), (2.5, 1, "a whole number"), (True, 1, "a number"),
        ("yes", True, "true or false"), (1, True, "true or false"), (float("inf"), 0.1, "a number"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(value, default, needed):
    with pytest.raises(ValueError, match=f"need x as {needed}"):
        typed("x", value, default)
