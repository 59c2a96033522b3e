"""The summary: two pages, filled, with the numbers of the results."""

import io
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecglib import plots, report
from ecglib.chapter import Chapter

CLASSES = "NSVFQ"


def score(value, half=0.01):
    return {"value": value, "low": value - half, "high": min(value + half, 1.0)}


def scored(macro_recall, macro_f1, recalls):
    return {
        "macro_recall": score(macro_recall),
        "macro_f1": score(macro_f1),
        **{f"recall_{c}": score(r, 0.02) for c, r in zip(CLASSES, recalls, strict=False)},
    }


def metrics(*, full=False):
    split = {s: {"patients": 47, "windows": n} for s, n in
             {"train": 78799, "validation": 8755, "test": 21892}.items()}  # fmt: skip
    mine = {"parameters": 181405, "test": scored(0.9531, 0.9502, (0.99, 0.93, 0.97, 0.88, 0.99))}
    start = {"parameters": 91234, "test": scored(0.8807, 0.9012, (0.99, 0.71, 0.94, 0.77, 0.98))}
    recall = {"parameters": 181405, "test": scored(0.967, 0.908, (0.97, 0.95, 0.98, 0.94, 0.99))}
    new = {"parameters": 182000, "test": scored(0.62, 0.58, (0.95, 0.77, 0.91, 0.21))}
    ptb = {"parameters": 181000, "test": {"macro_recall": score(0.992), "macro_f1": score(0.991)}}
    people = {"test": {"patients": 22, "windows": 49000}}
    out = {
        "data": {"synthetic": {"records": 24, "patients": 24, "windows": 4000}},
        "protocols": {
            "intra": {
                "split": split,
                "models": {"se_resnet": mine, "course_2d": start, "se_resnet, recall": recall},
            }
        },
        "selected": {"protocol": "intra", "model": "se_resnet"},
    }
    if full:
        out["data"] = {"mitdb": {"records": 48, "patients": 47, "windows": 109446},
                       "ptb": {"records": 1, "patients": 2911, "windows": 2911}}  # fmt: skip
        out["protocols"]["inter"] = {"split": people, "models": {"se_resnet": new}}
        out["protocols"]["ptb"] = {"split": people, "models": {"fine-tuned": ptb}}
    return out


def rows(n):
    """A base row and n - 1 changes of it in groups of three."""
    base = {"group": "base", "base": True, "model": "course_2d", "inputs": "signal", "width": 32,
            "depth": 2, "class_weights": "none", "loss": "cross_entropy", "dropout": 0.1,
            "augment": (), "label_smoothing": 0.0, "lr": 1e-3}  # fmt: skip
    tried = [("network", "model", "se_resnet"), ("network", "model", "gru_attention"),
             ("network", "model", "transformer"), ("network", "model", "spectrogram_cnn"),
             ("rare kinds", "class_weights", "balanced"), ("rare kinds", "class_weights", "root"),
             ("rare kinds", "loss", "focal"), ("intervals", "inputs", "rr"),
             ("intervals", "inputs", "rr+template"), ("size", "width", 16), ("size", "width", 64),
             ("size", "depth", 4), ("regularisation", "dropout", 0.3),
             ("regularisation", "augment", ("speed", "noise")),
             ("regularisation", "label_smoothing", 0.05), ("rate", "lr", 3e-4),
             ("rate", "lr", 3e-3), ("search", "width", 48), ("search", "dropout", 0.2)]  # fmt: skip
    made = [base]
    for group, name, value in tried[: n - 1]:
        made.append({**base, "base": False, "group": group, name: value})
    rng = np.random.default_rng(0)
    for row in made:
        recall = 0.88 if row["base"] else rng.uniform(0.89, 0.955)
        row |= {"macro_recall": score(recall, 0.008), "macro_f1": score(recall - 0.005, 0.008)}
        row["n_parameters"] = int(rng.uniform(2e4, 4e5))
    return pd.DataFrame(made)


def trials(n=60):
    rng = np.random.default_rng(1)
    return pd.DataFrame({
        "status": ["completed", "stopped", "stopped"] * (n // 3),
        "validation_macro_recall": rng.uniform(0.85, 0.95, n),
        "n_parameters": rng.integers(20_000, 400_000, n),
        "seconds": rng.uniform(60, 900, n),
    })  # fmt: skip


PRICE = {"recall": 0.991, "recall_low": 0.985, "recall_high": 0.995, "precision": 0.93,
         "false_alarms": 12.4, "false_alarms_per_hour": 55.8}  # fmt: skip


@pytest.fixture
def chapter(tmp_path):
    """A chapter with three figures of two shapes."""
    out = tmp_path / "exercise_04"
    out.mkdir()
    for name, size in {"wide": (9, 3.4), "one": (6.4, 4.4), "two": (6.4, 4.4)}.items():
        fig, ax = plt.subplots(figsize=size, layout="constrained")
        ax.plot(np.random.default_rng(0).normal(size=50))
        ax.set(xlabel="time (s)", ylabel="signal (mV)")
        fig.savefig(out / f"{name}.png", dpi=150)
        plt.close(fig)
    return Chapter("exercise_04", "demo", "synthetic", out, tmp_path / "runs")


CAPTIONS = {
    "wide": "**Share of each kind of beat that is found**, with 95 % intervals, in known and new "
    "people. The start model of the course is drawn hollow.",
    "one": "**What recall costs.** False alarms in 1,000 beats against the sick beats found.",
    "two": "**The search.** Each dot a trial: parameters against macro recall on validation beats.",
}
SOME = dict(list(CAPTIONS.items())[:2])


def demo_like(chapter):
    return {"chapter": chapter, "rows": rows(3), "figures": SOME, "metrics": metrics(),
            "previous": "course_2d"}  # fmt: skip


def full_like(chapter):
    chapter = Chapter("exercise_04", "full", "physionet", chapter.out, chapter.ledger)
    return {"chapter": chapter, "rows": rows(20), "figures": CAPTIONS,
            "metrics": metrics(full=True), "previous": "course_2d", "search": trials(),
            "price": PRICE, "chosen": {"ptb": "fine-tuned"}}  # fmt: skip


LIKE = pytest.mark.parametrize("like", [demo_like, full_like])


def ink(png):
    """A page as an array, 1 where something is drawn."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 200


@LIKE
def test_the_summary_has_two_pages_that_are_filled_and_stay_within_their_margins(
    like, chapter, tmp_path
):
    pdf = tmp_path / "summary.pdf"
    found = report.summary(pdf, **like(chapter))
    assert found["pages"] == report.count_pages(pdf.read_bytes()) == 2
    assert min(found["filled"]) > 0.8 and max(found["filled"]) < 1.001
    assert 8.5 <= found["size"] <= 11
    pages = report.pictures(pdf, ppi=72)
    assert len(pages) == 2
    for page in map(ink, pages):
        assert page.shape == (842, 595)
        assert 0.02 < page.mean() < 0.3
        lines = np.flatnonzero(page.any(axis=1))
        assert lines[0] > 30 and lines[-1] < 842 - 15
        columns = np.flatnonzero(page.any(axis=0))
        assert columns[0] > 45 and columns[-1] < 595 - 45
        body = lines[lines < 842 - 45]
        assert body[-1] > 0.75 * 842
        assert np.diff(body).max() < 60, "a hole in the page"


def test_every_font_is_in_the_file_and_nothing_tells_when_or_where_it_was_made(chapter, tmp_path):
    pdf = tmp_path / "summary.pdf"
    report.summary(pdf, **demo_like(chapter))
    content = pdf.read_bytes()
    fonts = re.findall(rb"/FontDescriptor/FontName/\w{6}\+(\w+)", content)
    assert any(b"Libertinus" in name for name in fonts)
    described = len(re.findall(rb"/Type/FontDescriptor", content))
    assert described == len(re.findall(rb"/FontFile\d? \d+", content)) > 0
    assert str(tmp_path).encode() not in content
    report.summary(tmp_path / "again.pdf", **demo_like(chapter))
    assert (tmp_path / "again.pdf").read_bytes() == content


def test_the_table_fills_only_what_a_row_changes():
    made = report.table(rows(8))
    base, *others = made["rows"]
    assert base["group"] == "base" and all(base["cells"])
    for row, name in zip(others[:4], ("se_resnet", "gru_attention", "transformer"), strict=False):
        assert [c for c in row["cells"] if c] == [name]
    assert [row["group"] for row in others] == ["(A)", "", "", "", "(B)", "", ""]
    assert [row["starts"] for row in others] == [True, False, False, False, True, False, False]
    assert made["columns"] == ["model", "class weights", "loss"]
    assert sum(row["scores"][0]["best"] for row in made["rows"]) == 1


def test_a_missing_value_is_as_in_the_base_row_and_rare_changes_share_the_last_column():
    given = rows(20)
    given.loc[given["group"] == "size", "loss"] = None
    made = report.table(given)
    assert len(made["columns"]) == 6 and made["other"]
    assert "label smoothing 0.05" in {row["other"] for row in made["rows"]}
    assert not any("loss" in row["other"] for row in made["rows"] if row["group"] == "(D)")


def test_another_network_is_told_by_its_name_not_by_all_its_arguments():
    given = rows(5)
    given["patch"] = [None, None, None, 8, None]
    given["width"] = [32, 48, 24, 64, 16]
    made = report.table(given)
    assert [row["other"] for row in made["rows"]] == [""] * 5
    assert made["columns"][0] == "model"


def test_more_rows_than_fit_are_thinned_out_and_the_caption_says_so(chapter, tmp_path):
    many = pd.concat([rows(20), rows(20).iloc[1:].assign(width=11, group="more")])
    made = report.table(many)
    assert len(made["rows"]) == 24
    assert "15 further rows" in made["reading"]
    pdf = tmp_path / "summary.pdf"
    assert report.summary(pdf, **full_like(chapter) | {"rows": many})["pages"] == 2


def test_every_number_in_the_words_is_one_of_the_results(chapter):
    more = full_like(chapter)
    chapter, found = more.pop("chapter"), more.pop("metrics")
    del more["figures"]
    before = json.dumps(report.texts(chapter, found, **more))
    assert "95.3 %" in before and "78,799" in before and "99.1 %" in before
    intra = found["protocols"]["intra"]
    intra["models"]["se_resnet"]["test"]["macro_recall"] = score(0.871)
    intra["split"]["train"]["windows"] = 12_345
    after = json.dumps(report.texts(chapter, found, **more | {"price": PRICE | {"recall": 0.9}}))
    assert "95.3 %" not in after and "78,799" not in after and "99.1 %" not in after
    assert "87.1 %" in after and "12,345" in after and "90.0 %" in after


def test_words_follow_the_numbers(chapter):
    found = metrics(full=True)
    told = {"rows": rows(3), "previous": "course_2d"}
    assert "clearly lower" in report.texts(chapter, found, **told)["answer"][0]
    models = found["protocols"]["intra"]["models"]
    models["course_2d"]["test"]["macro_recall"] = score(0.99, 0.001)
    assert "clearly higher" in report.texts(chapter, found, **told)["answer"][0]
    models["se_resnet, recall"]["test"] = scored(0.90, 0.80, ())
    assert "hardly be bought" in report.texts(chapter, found, **told)["conclusion"][0]


def test_known_and_new_people_are_compared_over_the_kinds_that_both_tests_have(chapter):
    answer = report.texts(chapter, metrics(full=True), rows=rows(3))["answer"][1]
    fall = np.mean([0.99 - 0.95, 0.93 - 0.77, 0.97 - 0.91, 0.88 - 0.21])
    assert f"the 4 kinds of both tests that is {100 * fall:.1f} points less" in answer


def test_a_trial_run_says_that_it_is_none_and_a_published_one_does_not(chapter):
    synthetic = report.texts(chapter, metrics(), rows=rows(3))
    assert "no result" in synthetic["notice"]
    assert "synthetic" in synthetic["limits"][0]
    published = full_like(chapter)["chapter"]
    assert report.texts(published, metrics(full=True), rows=rows(3))["notice"] == ""


def test_a_protocol_is_told_by_the_network_that_validation_beats_prefer():
    found = metrics(full=True)
    found["protocols"]["ptb"]["models"] = {
        "frozen": {"validation": {"macro_recall": 0.8, "macro_f1": 0.8}},
        "fine-tuned": {"validation": {"macro_recall": 0.9, "macro_f1": 0.9}},
        "fine-tuned, recall": {"validation": {"macro_recall": 1.0, "macro_f1": 1.0}},
    }
    assert report.model_of(found, "ptb") == "fine-tuned"
    assert report.model_of(found, "intra") == "se_resnet"
    assert report.model_of(found, "ptb", "frozen") == "frozen"
    assert report.model_of({"protocols": {}}, "ptb") == ""
    with pytest.raises(ValueError, match="need a model of ptb"):
        report.model_of(found, "ptb", "thawed")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"figures": {"wide": "one"}}, ValueError, "need 2 or 3 figures, got 1"),
        ({"figures": SOME | {"gone": "x"}}, FileNotFoundError, "gone.png"),
        ({"rows": rows(1)}, ValueError, "got none"),
        ({"rows": rows(3).assign(base=False)}, ValueError, "need one base row, got 0"),
        ({"rows": rows(3).drop(columns="macro_f1")}, ValueError, "macro_f1 missing"),
        ({"metrics": {"protocols": {}}}, ValueError, "run 05_evaluation"),
        ({"why": {"network": "because " * 2000}}, ValueError, "too much for 2 pages: 3 rows"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line_and_an_old_summary_stays(
    change, error, said, chapter, tmp_path
):
    pdf = tmp_path / "summary.pdf"
    pdf.write_bytes(b"old")
    with pytest.raises(error, match=said) as caught:
        report.summary(pdf, **demo_like(chapter) | change)
    assert "\n" not in str(caught.value)
    assert pdf.read_bytes() == b"old"
    assert [file.name for file in tmp_path.glob(".*.part")] == []


def test_only_a_pdf_has_pages_to_count(tmp_path, chapter):
    with pytest.raises(ValueError, match="need a PDF"):
        report.count_pages(b"no pdf")
    with pytest.raises(ValueError, match="ends in .pdf"):
        report.summary(Path("summary.png"), **demo_like(chapter))


def test_words_that_mean_something_to_typst_are_set_as_they_are(chapter, tmp_path):
    like = demo_like(chapter)
    like["rows"]["group"] = like["rows"]["group"].replace("network", "#panic() $x$ @a <b> [c] \\")
    assert report.summary(tmp_path / "summary.pdf", **like)["pages"] == 2


def test_one_long_group_is_dealt_out_by_what_its_rows_change():
    given = rows(20)
    given.loc[given["group"] != "network", "group"] = "one change"
    given.loc[19, "lr"] = 3e-3  # changes things of two themes
    dealt = report.by_theme(given, "one change")
    assert list(dealt["group"][:5]) == ["one change", *4 * ["network"]]
    assert list(dealt["group"][5:8]) == 3 * ["weights and loss"]
    assert list(dealt["group"][8:10]) == 2 * ["R-R intervals"]
    assert dealt["group"].iloc[19] == "one change"


def test_what_is_not_known_is_left_out(chapter):
    found = metrics(full=True)
    nothing = {"value": None, "low": None, "high": None}
    for entry in found["protocols"].values():
        entry["split"]["test"]["patients"] = None
        for model in entry["models"].values():
            model["test"] = dict.fromkeys(model["test"], nothing) | {"macro_recall": score(0.9)}
    empty = trials(3).assign(validation_macro_recall=np.nan)
    told = report.texts(chapter, found, rows=rows(3), previous="course_2d", search=empty)
    said = json.dumps(told, ensure_ascii=False)
    assert "nan" not in said and "None" not in said
    assert "No trial" in told["conclusion"][-1]


def test_a_class_moves_from_a_hollow_to_a_filled_mark():
    before = {f"{what}_S": score(0.9) for what in ("recall", "precision")}
    after = {"recall_S": score(0.95), "precision_S": score(0.8)}
    ax = plots.traded(before, after, ("S", "V"), ax=plt.figure().add_subplot())
    line, hollow, filled = ax.get_lines()
    assert line.get_xydata().tolist() == [[90, 90], [95, 80]]
    assert hollow.get_markerfacecolor() == "white" != filled.get_markerfacecolor()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["S"]
    with pytest.raises(ValueError, match="recall and precision"):
        plots.traded({}, {}, ("S",), ax=ax)
