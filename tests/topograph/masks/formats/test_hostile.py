"""Evil pickles, traversal, bombs, absurd headers, truncated files: by name."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

import topograph as tg
from tests.topograph.masks.fuzz import attempt
from tests.topograph.masks.seeds import place, seeds
from topograph import limits
from topograph.errors import InvalidMaskError

MASK = np.eye(4, dtype=np.float32)


def refused(path, fault):
    with pytest.raises(InvalidMaskError, match=fault) as caught:
        tg.load(path)
    assert str(caught.value).startswith(str(path))
    with pytest.raises(InvalidMaskError, match=fault):
        tg.measure(path, ["n_edges"])


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def npy(shape, dtype="<f4", data=b""):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


# ------------------------------------------------------------------ pickles


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_pickled_arrays(tmp_path, ending):
    evil = np.array([Evil(tmp_path / "owned")], dtype=object)
    path = tmp_path / f"m.{ending}"
    np.save(path, evil, allow_pickle=True) if ending == "npy" else np.savez(path, m=evil)
    refused(path, "Python objects, a pickle that is not executed")
    assert not (tmp_path / "owned").exists()


def test_pickled_matrix(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        for name, content in {
            "format": np.array(b"csr"),
            "shape": np.array([4, 4]),
            "data": np.array([Evil(tmp_path / "o")]),
        }.items():
            file = io.BytesIO()
            np.save(file, content, allow_pickle=True)
            archive.writestr(f"{name}.npy", file.getvalue())
    refused(tmp_path / "m.npz", "not executed")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("kind", ["zip", "old", "bare"])
def test_pickled_torch_files(tmp_path, kind):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    state = {"w": torch.ones(2, 2), "evil": Evil(tmp_path / "owned")}
    path = tmp_path / "m.pt"
    if kind == "bare":
        path.write_bytes(pickle.dumps(Evil(tmp_path / "owned")))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    if kind == "bare":
        refused(path, "not a PyTorch file")
    else:
        masks = tg.load(path)
        assert masks["w"].n_edges == 4
        assert "open, which is not executed" in masks.left_out["evil"]
    assert not (tmp_path / "owned").exists()


# ------------------------------------------------------------------ traversal


@pytest.mark.parametrize("place", ["../secret.safetensors", "/etc/passwd", "link.safetensors", "a\0b", "", 7, "gone"])
def test_index_outside_the_folder(tmp_path, place):
    (tmp_path / "secret.safetensors").write_bytes(safetensors({}))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": place}}))
    refused(folder, "outside the folder|not in the folder|must name a file")


def test_unindexed_link(tmp_path):
    (tmp_path / "secret.safetensors").write_bytes(safetensors({}))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    refused(tmp_path / "model", "outside the folder")


def test_hugging_face_snapshot(tmp_path):
    snapshot, blobs = tmp_path / "repo" / "snapshots" / "0a1b", tmp_path / "repo" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "ffff").write_bytes(
        safetensors({"w": {"dtype": "BOOL", "shape": [1, 2], "data_offsets": [0, 2]}}, b"\1\0")
    )
    (snapshot / "model.safetensors").symlink_to(blobs / "ffff")
    assert tg.load(snapshot)["w"].shape == (2, 1)


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/passwd", "link.bin"])
def test_onnx_external_data_outside(tmp_path, place):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(MASK.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    _external_model(onnx, folder / "m.onnx", location=place)
    refused(folder / "m.onnx", "outside the folder")


def test_onnx_external_data_inside(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    (tmp_path / "weights.bin").write_bytes(b"....." + MASK.tobytes())
    _external_model(onnx, tmp_path / "m.onnx", location="weights.bin", offset="5", length="64")
    assert tg.load(tmp_path / "m.onnx")["w"].n_edges == 4
    _external_model(onnx, tmp_path / "m.onnx", location="weights.bin", offset="6")
    refused(tmp_path / "m.onnx", "needs 64 bytes")
    _external_model(onnx, tmp_path / "m.onnx", location="weights.bin", offset="-9")
    refused(tmp_path / "m.onnx", "needs 64 bytes")


def _external_model(onnx, path, **external):
    weight = onnx.TensorProto(name="w", dims=[4, 4], data_type=1, data_location=1)
    for key, value in external.items():
        weight.external_data.add(key=key, value=value)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    path.write_bytes(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], [weight])).SerializeToString())


def test_hdf5_reaches_no_other_file(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["w"] = MASK
    (tmp_path / "raw.bin").write_bytes(MASK.tobytes())
    virtual = h5py.VirtualLayout((4, 4), "f4")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "w", (4, 4))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["own"] = MASK
        file["linked"] = h5py.ExternalLink("secret.h5", "/w")
        file["soft"] = h5py.SoftLink("/own")
        file["group/again"] = file["own"]
        file.create_dataset("external", (4, 4), "f4", external=[(str(tmp_path / "raw.bin"), 0, 64)])
        file.create_virtual_dataset("virtual", virtual)
    masks = tg.load(tmp_path / "m.h5")
    assert len(masks) == 1
    for name in ("linked", "soft", "external", "virtual"):
        assert "not followed" in masks.left_out[name] or "not opened" in masks.left_out[name]


# ------------------------------------------------------------------ bombs


@pytest.fixture
def small(monkeypatch):
    """Bombs of a size that a test can light."""
    monkeypatch.setattr(limits, "SMALL", 8 << 20)


@pytest.mark.usefixtures("small")
def test_zip_bomb(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("m.npy", "w") as member,
    ):
        member.write(npy((16 << 20,), "|u1"))
        for _ in range(16):
            member.write(b"\0" * (1 << 20))
    assert (tmp_path / "m.npz").stat().st_size < 1 << 20
    refused(tmp_path / "m.npz", "decompression bomb")
    (tmp_path / "m.npz").rename(tmp_path / "m.keras")
    pytest.importorskip("h5py", reason="h5py is not installed")
    refused(tmp_path / "m.keras", "decompression bomb")


@pytest.mark.usefixtures("small")
def test_many_small_bombs(tmp_path):
    block = npy((4 << 20,), "|u1", b"\0" * (4 << 20))
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"m{number}.npy", block)
    refused(tmp_path / "m.npz", "the archive would expand")


def test_a_mask_that_compresses_well_is_no_bomb(tmp_path):
    mask = np.zeros((4000, 4000), dtype=np.int8)
    mask[0, 0] = 1
    np.savez_compressed(tmp_path / "m.npz", m=mask)
    assert tg.load(tmp_path / "m.npz")["m"].n_edges == 1


def test_hdf5_bomb(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("w", (1 << 20, 1 << 20), "f8", chunks=(1 << 10, 1 << 10), compression="gzip")
    refused(tmp_path / "m.h5", "decompression bomb")


def test_torch_strides_of_zero(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save({"w": torch.ones(1).expand(1 << 20, 1 << 20)}, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", "would expand from 4 to")


def test_torch_compressed_members(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for info in plain.infolist():
            packed.writestr(info.filename, plain.read(info))
    refused(tmp_path / "m.pt", "is compressed")


# ------------------------------------------------------------------ absurd headers


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (npy((1 << 40, 1 << 40)), "only 0 are there"),
        (npy((-1, 4)), "at least 0"),
        (npy((4, 4), data=MASK.tobytes()[:-1]), "only 63 are there"),
        (npy((2**64, 0)), "."),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "."),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"", "."),
        (b"PK\x03\x04", "."),
    ],
)
def test_npy_headers(tmp_path, content, fault):
    (tmp_path / "m.npy").write_bytes(content)
    refused(tmp_path / "m.npy", fault)
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("m.npy", content)
    refused(tmp_path / "m.npz", fault)


W = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "truncated"),
        (b"\xff" * 8, "truncated"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "truncated"),
        (safetensors(b"[]"), "must be a JSON object"),
        (safetensors(b"{"), "not JSON"),
        (safetensors(b"[" * 100_000), "not JSON: RecursionError"),
        (safetensors(b'{"w":{},"w":{}}'), "given twice"),
        (safetensors(b"\xff\xfe"), "not JSON"),
        (safetensors({"w": 3}), "must have dtype"),
        (safetensors({"w": W}, MASK.tobytes()[:60]), "only 60 are there"),
        (safetensors({"w": {**W, "shape": [-4, -4]}}, MASK.tobytes()), "at least 0"),
        (safetensors({"w": {**W, "shape": [True, 16]}}, MASK.tobytes()), "at least 0"),
        (safetensors({"w": {**W, "shape": [2**40, 2**40]}}, MASK.tobytes()), "needs"),
        (safetensors({"w": {**W, "shape": [4.0, 4]}}, MASK.tobytes()), "whole numbers"),
        (safetensors({"w": {**W, "data_offsets": [64, 0]}}, MASK.tobytes()), "lies at bytes 64 to 0"),
        (safetensors({"w": {**W, "data_offsets": [-64, 0]}}, MASK.tobytes()), "at least 0"),
        (safetensors({"w": W, "v": {**W, "data_offsets": [32, 96]}}, bytes(96)), "overlap"),
        (safetensors({"w": {**W, "dtype": "F99"}}, bytes(64)), "number format that cannot be read"),
        (safetensors({"__metadata__": {"format": []}}), "metadata must map"),
    ],
)
def test_safetensors_headers(tmp_path, content, fault):
    (tmp_path / "m.safetensors").write_bytes(content)
    refused(tmp_path / "m.safetensors", fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "first line"),
        ("%%MatrixMarket matrix coordinate real general\n999999999 999999999 1\n1 1 1\n", "nodes on a side"),
        ("%%MatrixMarket matrix coordinate real general\n3 3 99999999999\n1 1 1\n", "truncated"),
        ("%%MatrixMarket matrix array real general\n99999 99999\n1\n", "truncated"),
        ("%%MatrixMarket matrix coordinate real general\n3 3 1\n4 1 1\n", "some lie outside"),
        ("%%MatrixMarket matrix coordinate real general\n3 3 1\n0 1 1\n", "some lie outside"),
        ("%%MatrixMarket matrix coordinate real general\n-3 3 1\n1 1 1\n", "line of sizes"),
        ("%%MatrixMarket matrix coordinate complex general\n3 3 1\n1 1 1 1\n", "what can be read"),
        ("%%MatrixMarket matrix array real general\n2 1\n1\n\xff\n", "."),
        ("%%MatrixMarket matrix coordinate real symmetric\n3 2 1\n1 1 1\n", "square"),
    ],
)
def test_matrix_market_headers(tmp_path, text, fault):
    (tmp_path / "m.mtx").write_text(text, encoding="latin-1")
    refused(tmp_path / "m.mtx", fault)


@pytest.mark.parametrize(
    ("shape", "indptr", "indices", "fault"),
    [
        ((2, 2), [0, 99, 0], [0, 1], "pointers"),  # crashed SciPy
        ((2, 2), [0, 1, 2], [0, 5], "."),
        ((2, 2), [0, 1, 2], [0, -1], "."),
        ((2**30, 2**30), [0, 1, 2], [0, 1], "nodes on a side"),
    ],
)
def test_scipy_indices(tmp_path, shape, indptr, indices, fault):
    np.savez(
        tmp_path / "m.npz",
        format=b"csr",
        shape=np.array(shape),
        data=np.ones(2),
        indptr=indptr,
        indices=np.array(indices),
    )
    refused(tmp_path / "m.npz", fault)


def test_our_own_files_are_checked_too(tmp_path):
    about = json.dumps({"left_out": {"x": 3}})
    graph = {"shape_0": [2, 2], "indptr_0": np.array([0, 1, 2]), "indices_0": np.array([0, 1])}
    np.savez(tmp_path / "m.npz", format="topograph masks 1", names=["a"], about=about, **graph)
    refused(tmp_path / "m.npz", "names to texts")
    np.savez(
        tmp_path / "m.npz",
        format="topograph masks 1",
        names=["a"],
        about="{}",
        **{**graph, "indices_0": np.array([0, 9])},
    )
    refused(tmp_path / "m.npz", "every output must be in")
    np.savez(
        tmp_path / "t.npz",
        format="topograph topology 1",
        sizes=[2, 2**31 - 1],
        indptr_1=[0, 0, 0],
        indices_1=np.zeros(0, int),
    )
    refused(tmp_path / "t.npz", "nodes on a side")


@pytest.mark.parametrize(
    ("dims", "raw", "fault"),
    [
        ([4, 4], MASK.tobytes()[:-4], "64 bytes, but 60 are there"),
        ([-4, 4], MASK.tobytes(), "at least 0"),
        ([1 << 40, 1 << 40], MASK.tobytes(), "but 64 are there"),
        ([4, 4], None, "16 numbers, but 0 are there"),
    ],
)
def test_onnx_shapes(tmp_path, dims, raw, fault):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    weight = onnx.TensorProto(name="w", dims=dims, data_type=1, raw_data=raw)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], [weight]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "m.onnx", fault)


@pytest.mark.parametrize("fault", [{"strides": [0, 1]}, {"group": -1}, {"dilations": [1, -2]}])
def test_onnx_convolutions(tmp_path, fault):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    weight = onnx.numpy_helper.from_array(np.ones((2, 2, 3, 3), np.float32), "w")
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], **fault)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], [weight]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "m.onnx", "is not a valid convolution")


def test_keras_configuration_is_only_data(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/lambda/vars/0"] = MASK
        file["layers/lambda/vars"].attrs["name"] = "evil"
    code = {
        "class_name": "Lambda",
        "config": {"name": "evil", "function": {"class_name": "__lambda__", "config": {"code": "boom"}}},
    }
    config = {"class_name": "Sequential", "config": {"layers": [code]}}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    assert tg.load(tmp_path / "m.keras")["evil/0"].n_edges == 4
    deep = {"class_name": "X", "config": {}}
    for _ in range(200):
        deep = {"class_name": "X", "config": {"name": "x", "layer": deep}}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(deep))
        archive.writestr("model.weights.h5", weights.getvalue())
    refused(tmp_path / "m.keras", "nested")


# ------------------------------------------------------------------ truncated files


def test_every_truncation(tmp_path):
    """Each seed of the fuzzer, cut short at many places."""
    files = seeds()
    for name, content in files.items():
        for length in np.linspace(0, len(content) - 1, 15).astype(int):
            outcome, detail = attempt(place(tmp_path, name, content[:length], files))
            assert outcome != "finding", detail


def test_a_truncated_shard(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safetensors({"w": W}, MASK.tobytes()))
    (tmp_path / "b.safetensors").write_bytes(safetensors({"v": W}, MASK.tobytes()[:-1]))
    refused(tmp_path, r"b\.safetensors: .*truncated")


def test_sparse_in_memory_is_not_changed():
    matrix = sp.csr_array(np.array([[0.0, 2.0], [1.0, 0.0]]))
    tg.load({"w": matrix}, threshold=1.5)
    assert matrix.nnz == 2


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("ending", ["graphml", "gexf"])
def test_xml_that_declares_entities_is_refused_in_every_coding(tmp_path, coding, ending):
    text = (
        f'<?xml version="1.0" encoding="{coding}"?>' + "<!-- x -->" * 500 + '<!DOCTYPE g [<!ENTITY a "b">]><g>&a;</g>'
    )
    (tmp_path / f"m.{ending}").write_bytes(text.encode(coding))
    refused(tmp_path / f"m.{ending}", "entity, which no graph needs")
