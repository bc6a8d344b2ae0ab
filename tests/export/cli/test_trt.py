import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from rigs.full_disk import files_end_at
from rigs.model import write_bundle as write_small_bundle
from rigs.training.checkpoints import random_checkpoint

from ast_edge.engines.trt.engine_card import read_engine
from ast_edge.engines.trt.half_bundle import half_bundle, half_sha256
from ast_edge.engines.trt.library import find_library
from ast_edge.engines.trt.network import read_network
from ast_edge.model.bundle import find_bundle, load_bundle
from ast_export.cli import trt
from ast_export.cli.main import main
from ast_export.description import describe
from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_export.writer import ExportOptions, write_bundle
from ast_training.model.network import AudioSpectrogramTransformer

pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")

GRAPH = "model.onnx"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "engines" / "small.engine"


def export(bundle, out, *options):
    return main(["trt", str(bundle), "--out", str(out), *options])


def complaint(capsys):
    """Return what was printed to standard error, one line and nothing else."""
    streams = capsys.readouterr()
    assert (streams.out, streams.err.count("\n")) == ("", 1), streams
    return streams.err


def test_writes_an_engine_with_its_card_and_says_what_it_is(bundle, out, capsys):
    assert export(bundle, out, "--max-batch", "4", "--compute-capability", "86,120") == 0
    _, card = read_engine(out)
    assert (card.profile.max[0], card.capabilities) == (4, (86, 120))
    lines = capsys.readouterr().out.splitlines()
    assert "batches of 1 to 4, for compute capability 8.6, 12.0" in lines[-2]
    assert lines[-1] == f"wrote {out}"


def test_the_card_names_the_graph_of_the_bundle(bundle, out):
    assert export(bundle, out, "--precision", "fp32") == 0
    assert read_engine(out)[1].onnx_sha256 == load_bundle(bundle).sha256


def test_an_fp32_bundle_becomes_an_fp16_engine_and_the_report_is_printed(bundle, out, capsys):
    assert export(bundle, out) == 0
    _, card = read_engine(out)
    assert (card.precision, card.onnx_sha256) == ("fp16", half_sha256(load_bundle(bundle)))
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("fp16: 6 windows of real sound: values up to ")
    assert "differs by " in first


def test_the_default_bundle_becomes_a_smaller_engine_in_fp16(tmp_path):
    sizes = []
    for precision in ("fp32", "fp16"):
        assert export("home", tmp_path / precision, "--precision", precision) == 0
        sizes.append((tmp_path / precision).stat().st_size)
    assert sizes[1] < 0.85 * sizes[0]  # the rest is convolutions in fp32, and no weights


def test_numbers_that_fp16_cannot_hold_make_an_fp32_engine(tmp_path, out, capsys):
    loud = write_small_bundle(tmp_path / "loud", spread=32768.0)
    assert export(loud, out) == 0
    assert read_engine(out)[1].precision == "fp32"
    assert "float16 ends at 65504; the engine is in fp32" in capsys.readouterr().err
    out.unlink()
    assert export(loud, out, "--precision", "fp16") == 69
    assert not out.exists()


@pytest.fixture(scope="module")
def half(checkpoint, audio, tmp_path_factory):
    """The folder of an fp16 bundle."""
    folder = tmp_path_factory.mktemp("bundles") / "half"
    write_bundle([checkpoint], folder, ExportOptions("half", audio=audio, precision="fp16"))
    return folder


def test_an_fp16_bundle_becomes_an_fp16_engine(half, out):
    assert export(half, out) == 0
    _, card = read_engine(out)
    assert (card.precision, card.onnx_sha256) == ("fp16", load_bundle(half).sha256)


def test_an_fp16_bundle_does_not_become_an_fp32_engine(half, out, capsys):
    assert export(half, out, "--precision", "fp32") == 78
    assert "--precision fp32: 'half' is in fp16" in complaint(capsys)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_frame_scores_are_an_output_of_the_engine(
    framed_checkpoint, audio, tmp_path, out, precision
):
    options = ExportOptions("steps", audio=audio, precision=precision)
    write_bundle([framed_checkpoint], tmp_path / "steps", options)
    assert export(tmp_path / "steps", out) == 0
    outputs = {tensor.name: (tensor.dtype, tensor.shape) for tensor in read_engine(out)[1].outputs}
    assert outputs == {"clip": ("float32", (-1, 3)), "frame": ("float32", (-1, 4, 3))}


def unproven(members, folder):
    """Write an fp16 bundle without comparing it: that takes a large model minutes."""
    folder.mkdir()
    export_graph(MergedModel([m.build(share=True) for m in members], half=True), folder / GRAPH)
    tree = describe(members, folder, "large", "fp16", "fp32")
    (folder / "bundle.json").write_text(json.dumps(tree))
    return folder


def random_members(*specs):
    checkpoints = [random_checkpoint(model=replace(random_checkpoint().model, **s)) for s in specs]
    return [
        replace(checkpoint, weights=AudioSpectrogramTransformer(checkpoint.model).state_dict())
        for checkpoint in checkpoints
    ]


def test_an_ensemble_becomes_one_engine(tmp_path, out):
    specs = [{"stride": (10, 10)}, {"patch": (128, 2), "stride": (128, 2)}, {"frames": 40}]
    bundle = unproven(random_members(*specs), tmp_path / "ensemble")
    assert export(bundle, out) == 0
    plan, card = read_engine(out)
    assert card.inputs[0].shape == (-1, 64, 128)
    assert len(plan) > sum(p.stat().st_size for p in bundle.glob(GRAPH))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ast_base_becomes_an_fp16_engine(tmp_path, out):
    base = {"frames": 1024, "width": 768, "depth": 12, "heads": 12, "stride": (10, 10)}
    assert export(unproven(random_members(base), tmp_path / "base"), out) == 0
    plan, card = read_engine(out)
    assert (card.precision, card.inputs[0].shape) == ("fp16", (-1, 1024, 128))
    assert len(plan) > 2 * 86e6  # bytes: two for each weight


def outputs(graph, kind):
    """Return the types of what the layers of a kind give."""
    library = find_library()
    builder = library.module.Builder(library.messages.logger)
    network = read_network(library, builder, graph)
    layers = map(network.definition.get_layer, range(network.definition.num_layers))
    return [layer.get_output(0).dtype.name for layer in layers if layer.type.name == kind]


def test_tensorrt_multiplies_in_the_float16_of_an_fp16_bundle(half):
    types = outputs(half / "model.onnx", "MATRIX_MULTIPLY")
    assert types.count("HALF") == len(types) - 1  # all but the head


def test_tensorrt_multiplies_in_the_float16_that_was_made_of_an_fp32_bundle(bundle, tmp_path):
    made, _ = half_bundle(load_bundle(bundle), tmp_path)
    types = outputs(made.onnx, "MATRIX_MULTIPLY")
    assert types.count("HALF") == len(types) - 1  # all but the head
    assert set(outputs(made.onnx, "NORMALIZATION") + outputs(made.onnx, "SOFTMAX")) == {"FLOAT"}


def test_without_a_gpu_an_engine_for_this_device_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("ast_edge.engines.trt.cuda_choice.DRIVER", "libcuda-that-is-missing.so.1")
    assert main(["trt", "home"]) == 69
    assert "needs a GPU: no NVIDIA driver" in complaint(capsys)


@pytest.mark.parametrize(
    ("options", "status", "line"),
    [
        (["--compute-capability", "87"], 69, "does not know the compute capability 87: expected"),
        (["--version-compatible"], 69, "does not have version-compatible engines"),
        (["--hardware-compatible"], 69, "does not have hardware-compatible engines"),
        (["--timing-cache", "times.bin"], 69, "does not have a timing cache"),
        (["--max-batch", "0"], 78, "expected an optimal batch from 1"),
        (["--builder-level", "9"], 78, "expected a builder level from 0 to 5"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_before_building(bundle, out, capsys, options, status, line):
    assert export(bundle, out, *options) == status
    assert line in complaint(capsys)
    assert not out.parent.exists()


def test_engines_for_other_gpus_do_not_go_to_the_cache(capsys):
    assert main(["trt", "home", "--compute-capability", "86"]) == 78
    assert "give --out" in complaint(capsys)


def test_a_compute_capability_that_is_no_number_is_a_mistake_in_the_command(out, capsys):
    with pytest.raises(SystemExit) as caught:
        export("home", out, "--compute-capability", "8.6")
    assert caught.value.code == 2
    assert "expected numbers such as 86,89,120, got '8.6'" in capsys.readouterr().err


def test_a_damaged_bundle_is_one_line_and_exit_65(bundle, out, capsys):
    (bundle / "model.onnx").write_bytes(b"")
    assert export(bundle, out) == 65
    assert "is damaged or was changed" in complaint(capsys)


def test_a_full_disk_is_one_line_and_leaves_nothing(bundle, out, capsys):
    with files_end_at(1000):
        assert export(bundle, out) == 69
    assert f"{out}: cannot be written: File too large" in complaint(capsys)
    assert list(out.parent.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_line_and_exit_74(bundle, out, capsys):
    out.parent.touch()
    assert export(bundle, out) == 74
    assert f"{out.parent}: File exists" in complaint(capsys)


def test_ctrl_c_stops_the_build_and_leaves_nothing(out, capsys, monkeypatch):
    monkeypatch.setattr(trt._Bar, "step", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert export("home", out) == 130
    assert "stopped" in complaint(capsys)
    assert list(out.parent.iterdir()) == []


def test_neither_torch_nor_onnx_is_imported(tmp_path):
    bundle = shutil.copytree(find_bundle("home"), tmp_path / "home")
    program = (
        "import sys\n"
        "from ast_export.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        "print(status, *sorted({'onnx', 'torch', 'ast_training'} & set(sys.modules)))\n"
    )
    arguments = ["trt", str(bundle), "--out", str(tmp_path / "home.engine")]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "0", done.stderr


@pytest.mark.gpu
def test_an_engine_for_this_device_is_found_by_ast_edge(tmp_path, monkeypatch, capsys):
    from rigs.gpu.hardware import missing

    from ast_edge.engines.trt.cuda_choice import open_cuda
    from ast_edge.engines.trt.engine_cache import EngineCache, EngineKey, cache_folder

    if reason := missing():
        pytest.skip(reason)
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path))
    assert main(["trt", "home"]) == 0
    library, home = find_library(), load_bundle(find_bundle("home"))
    cuda = open_cuda()
    name = cuda.device.name
    cuda.close()
    key = EngineKey(half_sha256(home), library.name, library.version, name, "fp16")
    assert EngineCache(cache_folder()).find(key) is not None
