"""Every registered format, ours and a newcomer's: its samples are read, listed and told apart."""

from contextlib import contextmanager
from importlib.metadata import EntryPoint

import numpy as np
import pytest

import topograph as tg
from topograph import plugins
from topograph.errors import InvalidMaskError, InvalidParameterError, MissingDependencyError, PluginError
from topograph.masks import Format, available_formats, describe_formats
from topograph.masks.formats import registry
from topograph.masks.source import Source, array_entry


@pytest.fixture(params=list(available_formats()))
def samples(request, tmp_path):
    chosen = available_formats()[request.param]
    try:
        chosen.write_samples(tmp_path)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    paths = sorted(tmp_path.iterdir())
    assert paths, "a format writes at least one sample"
    return chosen, paths


def test_samples_are_read(samples):
    chosen, paths = samples
    for path in paths:
        assert registry.format_of(path) is chosen
        masks = tg.load(path)
        assert masks
        assert all(graph.n_edges for graph in masks.values())
        table = tg.measure(path, ["n_edges"])
        assert {*table.index, *table.attrs["left_out"]} - {"network"} == {*masks, *masks.left_out}


def test_an_empty_file_is_refused_by_its_name(samples, tmp_path):
    chosen, _ = samples
    for suffix in chosen.suffixes:
        path = tmp_path / f"empty{suffix}"
        path.write_bytes(b"")
        with pytest.raises(InvalidMaskError, match=f"empty{suffix}"):
            tg.load(path)


def test_the_table_lists_every_format():
    table = describe_formats()
    assert set(available_formats()) < set(table.index)
    assert (table.summary.str.len() > 5).all()
    assert table.loc["torch", "reads"] == "torch.nn.Module"


@contextmanager
def open_digits(path):
    rows = [[int(digit) for digit in line] for line in path.read_text().split()]
    yield Source(str(path), (array_entry(path.stem, (len(rows), len(rows[0])), lambda: np.array(rows)),))


DIGITS = Format("digits", (".digits", ".digits.npy"), "rows of digits", open_digits, lambda folder: None)
SECOND_NPY = Format("second_npy", (".npy",), "another", open_digits, lambda folder: None)
NOT_A_FORMAT = "a text"


@pytest.fixture
def newcomer(monkeypatch):
    def add(name):
        registered = plugins.registered
        entry = {"newcomer": EntryPoint("newcomer", f"{__name__}:{name}", registry.GROUP)}
        more = {registry.GROUP: entry}
        monkeypatch.setattr(plugins, "registered", lambda group: {**registered(group), **more.get(group, {})})
        plugins.named_plugins.cache_clear()

    yield add
    monkeypatch.undo()
    plugins.named_plugins.cache_clear()


def test_a_newcomer_is_read_and_listed(newcomer, tmp_path):
    newcomer("DIGITS")
    (tmp_path / "mask.digits").write_text("101\n010")
    (tmp_path / "mask.DIGITS.npy").write_text("11")  # the longest ending decides
    assert tg.load(tmp_path / "mask.digits")["mask"].n_edges == 3
    assert tg.load(tmp_path / "mask.DIGITS.npy")["mask.DIGITS"].n_edges == 2
    assert describe_formats().loc["digits", "summary"] == "rows of digits"
    with pytest.raises(InvalidMaskError, match=r"can read .*\.digits"):
        tg.load(tmp_path / "mask.unknown")


@pytest.mark.parametrize(
    ("name", "fault"),
    [("NOT_A_FORMAT", "Format"), ("SECOND_NPY", r"both claim the suffix \.npy")],
)
def test_a_bad_newcomer_is_named(newcomer, tmp_path, name, fault):
    newcomer(name)
    with pytest.raises(PluginError, match=fault):
        tg.load(tmp_path / "mask.npy")


def test_a_format_states_how_it_is_recognised():
    with pytest.raises(InvalidParameterError, match=r"'\.NPY'"):
        Format("x", (".NPY",), "", open_digits, lambda folder: None)
    with pytest.raises(InvalidParameterError, match="suffixes or in_folders"):
        Format("x", (), "", open_digits, lambda folder: None)
