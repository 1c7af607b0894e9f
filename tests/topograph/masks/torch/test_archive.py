"""Our reader of PyTorch files against PyTorch itself, and against files that PyTorch would not survive."""

import datetime
import pickle
import warnings
import zipfile

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.masks.torch.archive import TorchArchive
from topograph.masks.torch.leaves import leaves
from topograph.masks.torch.pickles import read_pickle

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def values(path):
    archive = TorchArchive(path)
    return {name: archive.stored(value).read() for name, value in leaves(archive.content)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_dense_tensors_have_the_values_that_pytorch_gives(tmp_path, zipped, protocol):
    base = torch.arange(60, dtype=torch.float64).reshape(5, 12)
    state = {
        "double": base,
        "single": base.float(),
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "int64": base.long(),
        "uint8": base.to(torch.uint8),
        "bool": base > 7,
        "turned": base.t(),
        "window": base[1:4, 2:9:3],
        "repeated": base[:, :1].expand(5, 3),
        "scalar": torch.tensor(3.5),
        "empty": torch.ones(0, 3),
        "parameter": torch.nn.Parameter(base.float()),
    }
    if zipped:
        state["eight bits"] = base.to(torch.float8_e4m3fn)
    path = tmp_path / "m.pt"
    torch.save(state, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    ours = values(path)
    assert ours.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(ours[name], tensor.detach().double().numpy())


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc", "coo3"])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse_tensors_have_the_values_that_pytorch_gives(tmp_path, layout):
    dense = torch.zeros(6, 8)
    dense[1, 2], dense[5, 7], dense[0, 0] = 1.0, 2.0, 3.0
    make = {
        "coo": lambda: dense.to_sparse(),
        "csr": lambda: dense.to_sparse_csr(),
        "csc": lambda: dense.to_sparse_csc(),
        "bsr": lambda: dense.to_sparse_bsr((2, 4)),
        "bsc": lambda: dense.to_sparse_bsc((3, 2)),
        "coo3": lambda: dense.reshape(6, 4, 2).to_sparse(),
    }
    torch.save({"w": make[layout]()}, tmp_path / "m.pt")
    ours = values(tmp_path / "m.pt")["w"]
    ours = ours.toarray() if hasattr(ours, "toarray") else ours
    np.testing.assert_array_equal(ours.reshape(6, 8), dense.numpy())


@pytest.mark.filterwarnings("ignore:torch.quantize")
def test_zero_of_a_quantised_tensor_is_its_zero_point(tmp_path):
    weights = torch.tensor([[0.0, 0.5, 0.0], [1.0, 0.0, -0.5]])
    state = {
        "tensor.weight": torch.quantize_per_tensor(weights, 0.1, 7, torch.quint8),
        "channel.weight": torch.quantize_per_channel(
            weights, torch.tensor([0.1, 0.2]), torch.tensor([3, -4]), 0, torch.qint8
        ),
    }
    torch.save(state, tmp_path / "m.pt")
    masks = tg.load(tmp_path / "m.pt")
    for name in state:
        np.testing.assert_array_equal(masks[name].to_mask().T, (weights != 0).numpy())


def test_checkpoints_keep_their_tensors_beside_objects_that_are_not_known(tmp_path):
    checkpoint = {
        "model": {"fc.weight": torch.ones(3, 4)},
        "best": np.float64(0.9),
        "mask": np.eye(4, dtype=np.int8),
        "loss": torch.nn.CrossEntropyLoss(weight=torch.ones(3)),
        "when": datetime.datetime(2026, 1, 1),
        "shape": torch.Size([1, 2]),
    }
    torch.save(checkpoint, tmp_path / "m.ckpt")
    masks = tg.load(tmp_path / "m.ckpt", include="*")
    assert masks["model.fc.weight"].n_edges == 12
    assert masks["mask"].n_edges == 4
    assert "not executed" in masks.left_out["best"]
    assert "not executed" in masks.left_out["when"]


def test_torchscript_archives_are_read(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.save(torch.jit.script(model), tmp_path / "m.pt")
    assert {name: graph.shape for name, graph in tg.load(tmp_path / "m.pt").items()} == {
        "0.weight": (4, 3),
        "2.weight": (3, 2),
    }


def test_a_container_that_is_shared_is_read_once(tmp_path):
    shared = [torch.ones(2, 3)]
    for _ in range(60):
        shared = [shared, shared]
    torch.save({"w": torch.ones(3, 2), "deep": shared}, tmp_path / "m.pt")
    masks = tg.load(tmp_path / "m.pt")
    assert masks["w"].n_edges == 6
    assert any("the same object as" in reason for reason in masks.left_out.values())


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("index", [7, 10**12, -3])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_index_outside_a_sparse_tensor_is_refused(tmp_path, index, dimensions):
    places = torch.tensor([[0, index], [0, 1], [0, 0]][:dimensions])
    evil = torch.sparse_coo_tensor(places, torch.ones(2), (2,) * dimensions, check_invariants=False)
    torch.save({"w": evil}, tmp_path / "m.pt")
    with pytest.raises(InvalidMaskError, match="indices from"):
        tg.load(tmp_path / "m.pt")


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("pointers", [[0, 1 << 40, 2], [0, 9, 2], [1, 1, 2], [0, 2, 1]])
@pytest.mark.parametrize("make", ["sparse_csr_tensor", "sparse_csc_tensor"])
def test_wrong_pointers_of_a_compressed_tensor_are_refused(tmp_path, pointers, make):
    evil = getattr(torch, make)(
        torch.tensor(pointers), torch.tensor([0, 1]), torch.ones(2), (2, 2), check_invariants=False
    )
    torch.save({"w": evil}, tmp_path / "m.pt")
    with pytest.raises(InvalidMaskError, match="pointers"):
        tg.load(tmp_path / "m.pt")


def test_an_archive_with_a_second_directory_is_refused(tmp_path):
    for name in "ab":
        torch.save({name: torch.ones(2, 2)}, tmp_path / f"{name}.pt")
    both = (tmp_path / "a.pt").read_bytes() + (tmp_path / "b.pt").read_bytes()
    (tmp_path / "m.pt").write_bytes(both)
    with pytest.raises(InvalidMaskError, match="readers could differ"):
        tg.load(tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "a.pt").read_bytes() + b"\0" * 30)
    with pytest.raises(InvalidMaskError):
        tg.load(tmp_path / "m.pt")


def test_members_that_overlap_or_lie_outside_are_refused(tmp_path):
    torch.save({"w": torch.ones(20, 20)}, tmp_path / "m.pt")
    with zipfile.ZipFile(tmp_path / "m.pt") as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
    data = bytearray((tmp_path / "m.pt").read_bytes())
    data[member.header_offset : member.header_offset + 4] = b"PK\x07\x07"
    (tmp_path / "m.pt").write_bytes(bytes(data))
    with pytest.raises(InvalidMaskError, match="does not begin where the archive says"):
        tg.load(tmp_path / "m.pt")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_back_from_every_protocol(protocol):
    shared = ["x", 1]
    value = {"a": [1, -5, 2**40, 2**70, 1.5, True, None], "b": ("é", b"\x00\xff", shared, shared), "c": {}, 7: ()}
    data = pickle.dumps(value, protocol=protocol)
    if protocol < 3:  # bytes are written as a call of a codec
        value["b"] = (value["b"][0], None, *value["b"][2:])
    read, end = read_pickle(data + b"rest")
    assert end == len(data)
    if protocol < 3:
        read["b"] = (read["b"][0], None, *read["b"][2:])
    assert read == value
    assert read["b"][2] is read["b"][3]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"]",
        b"(.",
        b"0.",
        b"\x80\x02}(K\x01u.",
        b"X\xff\xff\xff\x7fabc.",
        b"h\x05.",
        b"\xfe.",
        b"I1" * 100,
        b"(lp0",
    ],
)
def test_damaged_pickles_are_refused(data):
    with pytest.raises(InvalidMaskError, match="pickle"):
        read_pickle(data)


def test_a_pickle_of_countless_objects_is_refused():
    with pytest.raises(InvalidMaskError, match="objects"):
        read_pickle(b"]" * 5_000_000)
