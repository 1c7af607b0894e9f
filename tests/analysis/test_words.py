"""Every sentence that is printed is true: a test for each kind that once was not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis import correlate, effect, verdict, verdicts
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


def stranger(**columns):
    """A table as others have it: no degrees, no layers, names of their own."""
    frame = simulated(0.02, clusters=30)
    kept = frame[["test_accuracy", "topology_id"]].assign(delta_r=frame["l1_normalized_gap"])
    return kept.assign(**({"sparsity": 1 - np.exp(frame["l1_log_density"])} | columns))


def test_nothing_is_said_to_be_held_fixed_that_was_not():
    frame = analysis.load_frame(stranger().drop(columns="sparsity"))
    lines = verdicts(correlate(frame, "test_accuracy", "delta_r"))
    assert "density held fixed: not computed, because the table has no degrees" in lines[0]
    assert "0 of" not in lines[0]
    assert "nothing of it is left to vary" not in lines[1]
    assert "the table has no degrees" in verdict(frame, "delta_r")


def test_a_global_density_is_held_fixed_and_named(tmp_path):
    frame = analysis.load_frame(stranger())
    assert frame.attrs["density_from"] == "sparsity"
    assert np.allclose(np.exp(frame["log_density"]), 1 - frame["sparsity"])
    found = analysis.report(frame, tmp_path / "r.html")
    assert "by regression on log density" in found.verdicts[0]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "density does not vary" not in page
    assert "1 minus the column sparsity" in page
    assert "“Within cells” was not computed" in page
    percent = analysis.load_frame(
        stranger(sparsity=lambda f: 100 * (1 - np.exp(simulated(0.02, clusters=30)["l1_log_density"])))
    )
    assert np.allclose(np.exp(percent["log_density"]), 1 - percent["sparsity"] / 100)
    assert "by regression on log density" in analysis.report(percent, tmp_path / "p.html").verdicts[0]
    assert "1 minus a hundredth of the column sparsity" in (tmp_path / "p.html").read_text(encoding="utf-8")
    odd = analysis.load_frame(
        stranger().rename(columns={"sparsity": "my_density"}).assign(my_density=lambda f: 50 * f["my_density"])
    )
    assert "my_density is not taken for a density" in analysis.report(odd, tmp_path / "o.html").verdicts[0]
    bare = analysis.report(analysis.load_frame(stranger().drop(columns="sparsity")), tmp_path / "bare.html")
    assert "no column of densities" in bare.verdicts[0]


def test_cells_are_named_in_the_sentence():
    frame = simulated(0.02)
    assert str(effect(frame, "l1_normalized_gap")).startswith("With degrees held fixed, ")
    assert str(effect(frame, "l1_normalized_gap", cells=[])).startswith("With nothing held fixed, ")
    frame["model"] = np.where(frame["topology_seed"] % 2, "a", "b")
    words = str(effect(frame, "l1_normalized_gap", cells=["model", "degrees"], control="l1_log_density"))
    assert words.startswith("With model and degrees held fixed, and the log density of layer 1 by regression, ")
    by_regression = str(effect(frame, "l1_normalized_gap", cells=[], control="l1_log_density"))
    assert by_regression.startswith("With the log density of layer 1 held fixed by regression, ")


def test_only_shares_have_points():
    frame = simulated(0.02)
    points = effect(frame, "l1_normalized_gap")
    bleu = effect(frame.assign(bleu=30 * frame["test_accuracy"]), "l1_normalized_gap", outcome="bleu")
    assert bleu.change == pytest.approx(points.points * 30 / 100)
    assert bleu.slope == pytest.approx(30 * points.slope)
    assert "points" not in str(bleu)
    assert "of bleu, in its own unit" in str(bleu)
    with pytest.raises(InvalidParameterError, match="no points"):
        _ = bleu.points
    percent = effect(frame.assign(acc=100 * frame["test_accuracy"]), "l1_normalized_gap", outcome="acc")
    assert percent.change == pytest.approx(points.points)
    assert "in its own unit" in str(percent)


def dead(frame, topologies=8):
    """The same study with a cell in which nothing was learnt."""
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"topology_id": np.repeat([f"dead{i}" for i in range(topologies)], 3)})
    rows = rows.assign(test_accuracy=0.117, degrees="1-10", l1_log_density=-9.0, construction="random_edge")
    rows["l1_normalized_gap"] = np.repeat(rng.normal(size=topologies), 3)
    return pd.concat([frame, rows.assign(dataset="made up", trainer="numpy", architecture="100-100-10")])


def test_cells_in_which_nothing_was_learnt_are_left_out_and_said():
    frame = simulated(0.002)
    alive, both = (effect(f, "l1_normalized_gap") for f in (frame, dead(frame)))
    assert (both.change, both.low, both.detectable) == pytest.approx((alive.change, alive.low, alive.detectable))
    assert "1 cell (24 runs) in which the outcome has one value left out" in str(both)
    tables = [
        correlate(f, "test_accuracy", "l1_normalized_gap", methods=["within_cell"]).iloc[0]
        for f in (frame, dead(frame))
    ]
    assert tables[1]["estimate"] == pytest.approx(tables[0]["estimate"])
    assert tables[1]["n"] == tables[0]["n"] == len(frame)
    only = dead(frame).query("degrees == '1-10' or topology_id in ('t0', 't1')")
    with pytest.raises(InsufficientDataError, match="in which the outcome has one value left out"):
        effect(only, "l1_normalized_gap")


def test_two_equal_accuracies_are_no_dead_cell():
    frame = simulated(0.002, clusters=40, runs=1)
    frame["degrees"] = [f"{i // 2}-10" for i in range(40)]
    frame.loc[10:11, "test_accuracy"] = frame["test_accuracy"].median()
    assert effect(frame, "l1_normalized_gap").n == 40


def test_an_infinite_value_is_missing_with_a_reason():
    table = stranger()
    table.loc[:4, "delta_r"] = -np.inf
    frame = analysis.load_frame(table)
    assert frame.attrs["reasons"]["delta_r"] == ["infinite in 5 rows"]
    assert frame["delta_r"].isna().sum() == 5
    for given in (frame, table.assign(degrees="4-10")):
        found = correlate(given, "test_accuracy", "delta_r", methods=["pearson"])
        assert found.loc[0, "n"] == len(table) - 5
        assert found.attrs["reasons"] == {}
    assert analysis.effect(table, "delta_r", cells=["sparsity"]).n == len(table) - 5
    sets = {"metric": ["delta_r"]}
    half = table.assign(half=np.where(np.arange(len(table)) % 2, "a", "b"), topology_id=range(len(table)))
    assert len(analysis.predict_unseen(half, sets, held_out=["half"], learners=["ridge"]).predictions) == len(table) - 5


def test_the_headline_counts_what_survives_the_correction():
    frame = simulated(0.01)
    rng = np.random.default_rng(0)
    names = [f"noise{i}" for i in range(8)]
    noise = pd.DataFrame(rng.normal(size=(60, 8)), columns=names).iloc[frame["topology_seed"]].reset_index(drop=True)
    table = correlate(
        pd.concat([frame, noise], axis=1), "test_accuracy", ["l1_normalized_gap", *names],
        control="l1_log_density",
    )  # fmt: skip
    within = table[table["method"] == "within_cell"]
    clear = within[(within["low"] > 0) | (within["high"] < 0)]
    bh, holm = (int((clear[name] < 0.05).sum()) for name in ("p_bh", "p_holm"))
    line = verdicts(table)[0]
    assert f"{len(clear)} of 9, of which {bh} by Benjamini-Hochberg and {holm} by Holm survive" in line


def test_disagreement_between_the_ways_is_said():
    """Accuracy bends with log density; a metric that is density's square looks like a link by regression only."""
    frame = simulated(0.0, density_effect=0.0)
    rng = np.random.default_rng(1)
    bend = (frame["l1_log_density"] + 3) ** 2
    frame["test_accuracy"] = 0.8 + 0.05 * bend + rng.normal(scale=0.002, size=len(frame))
    frame["bent"] = bend + 0.3 * rng.normal(size=60)[frame["topology_seed"]]
    lines = verdicts(correlate(frame, "test_accuracy", "bent", control="l1_log_density"))
    assert "For 1 of 1 metrics (bent) the results within cells and by regression alone disagree" in lines[0]
    assert lines[1].endswith("not distinguishable from zero; the ways disagree.")


def test_metrics_of_any_name_are_found(tmp_path):
    frame = analysis.load_frame(stranger(**{"r-out": np.random.default_rng(0).random(90), "Nice Metric": range(90)}))
    found = analysis.report(frame, tmp_path / "r.html", cells=["sparsity"])
    assert set(found.correlations["metric"]) == {"delta_r", "r-out", "Nice Metric"}
    assert set(found.effects) == {"delta_r", "r-out", "Nice Metric"}
    assert "Q('r-out')" in found.fits["linear"].coefficients.index
    assert found.comparison is not None


def test_the_outcome_in_another_unit_is_no_metric(tmp_path):
    frame = analysis.load_frame(stranger(error=lambda f: 100 * (1 - f["test_accuracy"])))
    found = analysis.report(frame, tmp_path / "r.html")
    assert set(found.correlations["metric"]) == {"delta_r"}
    assert "error is test_accuracy in another unit" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_any_column_is_outcome_control_and_cell(tmp_path):
    table = stranger().rename(columns={"test_accuracy": "bleu"}).assign(bleu=lambda f: 30 * f["bleu"])
    with pytest.raises(UnknownNameError, match="outcome="):
        analysis.load_frame(table)
    frame = analysis.load_frame(table, outcome="bleu")
    found = analysis.report(frame, tmp_path / "r.html", cells=["sparsity"], control=["log_density"])
    assert "with bleu" in found.verdicts[0]
    assert "of bleu, in its own unit" in found.effects["delta_r"]
    assert "est accuracy" not in (tmp_path / "r.html").read_text(encoding="utf-8").replace("test_accuracy", "")


def test_typos_and_impossible_shares_are_refused():
    table = stranger().rename(columns={"test_accuracy": "acc", "sparsity": "dens"})
    with pytest.raises(UnknownNameError, match="did you mean 'test_accuracy'"):
        analysis.load_frame(table, columns={"acc": "test_acuracy"})
    with pytest.raises(UnknownNameError, match="did you mean 'l1_density'"):
        analysis.load_frame(table, columns={"acc": "test_accuracy", "dens": "l1_densty"})
    with pytest.raises(InvalidParameterError, match="l1_density must be a share"):
        analysis.load_frame(table.assign(dens=12.5), columns={"acc": "test_accuracy", "dens": "l1_density"})


def test_rows_within_cells_are_those_that_share_a_cell():
    frame = simulated(0.01, clusters=40, runs=1)
    frame["degrees"] = ["4-10"] * 8 + [f"{100 + i}-10" for i in range(32)]
    row = correlate(frame, "test_accuracy", "l1_normalized_gap", methods=["within_cell"]).iloc[0]
    assert (row["n"], row["n_clusters"]) == (8, 8)


def test_a_topology_that_decides_alone_is_said():
    frame = simulated(0.002, clusters=20)
    frame.loc[frame["topology_id"] == "t3", "l1_normalized_gap"] += 60
    found = effect(frame, "l1_normalized_gap")
    without = effect(frame[frame["topology_id"] != "t3"], "l1_normalized_gap")
    assert "topology t3 alone holds" in str(found)
    assert f"{without.detectable:.2f} could have been seen" in str(found)
    assert found.detectable > 10 * without.detectable


def test_a_metric_is_not_its_own_control():
    table = correlate(simulated(0.01), "test_accuracy", "l1_log_density", control=["l1_log_density"])
    row = table.set_index("method").loc["partial"]
    assert np.isnan(row["estimate"])
    assert "is the only control" in table.attrs["reasons"]["l1_log_density (partial)"]
    assert verdicts(table)[1].endswith(
        "with density held fixed: not computed, because within cells l1_log_density, or the outcome, does not vary."
    )


def test_missing_degrees_make_no_cells_and_numbers_make_some(tmp_path):
    frame = analysis.load_frame(stranger())
    assert frame["degrees"].isna().all()
    with pytest.raises(InsufficientDataError, match="cells="):
        effect(frame, "delta_r")
    named = analysis.load_frame(stranger(), columns={"sparsity": "degrees"})
    assert named["degrees"].map(type).eq(str).all()
    found = analysis.report(named, tmp_path / "r.html")
    assert found.effects["delta_r"].startswith("With degrees held fixed")


def test_runs_of_unknown_cell_are_not_compared_with_each_other():
    frame = simulated(0.01)
    frame.loc[:8, "degrees"] = None
    found = effect(frame, "l1_normalized_gap")
    assert found.n == len(frame) - 9
    assert "9 runs of unknown cell left out" in str(found)


def test_a_control_that_leaves_nothing_is_said():
    """Once ``control="gap"`` was passed over, and a multiple of the metric said that one topology decides alone."""
    frame = simulated(0.01).assign(double=lambda rows: 2 * rows["l1_normalized_gap"] + 1)
    alone = verdict(frame, "l1_normalized_gap", control="l1_normalized_gap")
    assert "is the only control: with itself held fixed nothing of it is left" in alone
    double = verdict(frame, "l1_normalized_gap", control="double")
    assert "with double held fixed within cells nothing of l1_normalized_gap is left to vary" in double


def test_cells_that_hold_no_density_are_not_said_to():
    """Once "with density held fixed (within cells of equal model)", since the control of another way was a sparsity."""
    frame = simulated(0.01).assign(model=lambda rows: rows["construction"])
    table = correlate(frame, "test_accuracy", "l1_normalized_gap", cells=["model"], control="l1_log_density")
    headline, sentence = verdicts(table)
    assert "with model held fixed (within cells of equal model)" in headline
    assert "with density held fixed" not in sentence
    assert "within cells of equal model, " in sentence
    assert "by regression on the log density of layer 1" in sentence


def test_sentences_have_the_words_of_the_report_and_no_names_of_columns():
    frame = simulated(0.01).assign(l2_normalized_gap=lambda rows: np.sin(40 * rows["l1_normalized_gap"]))
    metrics, control = ["l1_normalized_gap", "l2_normalized_gap"], ["l1_log_density"]
    rewired = frame.assign(variant=np.where(frame["seed"] == 0, "plain", "rewired"))
    sentences = [
        str(effect(frame, metrics[0], cells=["construction"], control=control)),
        analysis.verdict(frame, metrics[0], cells=["construction"], control=control),
        analysis.verdict(frame.head(3), metrics[0]).split(": nothing can be said")[0],
        *verdicts(correlate(frame, "test_accuracy", metrics, control=control)),
        str(analysis.experiment(rewired, metrics[0])),
        str(analysis.plan(frame, metrics[0], points=1.0, cells=["construction"], control=control)),
        str(analysis.compare_correlations(frame, "test_accuracy", metrics[0], metrics[1])),
        repr(analysis.correlate_per_cell(frame, "test_accuracy", metrics, control=control)).splitlines()[0],
    ]
    for sentence in sentences:
        assert "_" not in sentence, sentence
    assert "the normalized gap of layer 1" in sentences[0]
    assert "and the log density of layer 1 by regression" in sentences[0]
    assert sentences[2] == "normalized gap, layer 1"
