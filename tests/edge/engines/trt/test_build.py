import dataclasses
import os
import signal
from types import ModuleType

import pytest
from rigs.gpu.hardware import missing

from ast_edge.base.errors import ConfigError, EngineError
from ast_edge.base.files import file_sha256
from ast_edge.engines.trt.build import BuildOptions, build_engine
from ast_edge.engines.trt.engine_card import Profile, Tensor
from ast_edge.engines.trt.library import Library, find_library
from ast_edge.model.bundle import load_bundle
from ast_edge.model.graph_spec import GraphSpec

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from rigs.model import make_tree, write_bundle, write_tree


class Watch:
    """Keeps all steps; at the first it may do something."""

    def __init__(self, at_first=lambda: None):
        self.steps = []
        self.at_first = at_first

    def step(self, phase, done, total):
        self.steps.append((phase, done, total))
        if len(self.steps) == 1:
            self.at_first()


def build(library, bundle, **options):
    return build_engine(library, bundle, BuildOptions(**options), Watch())


@pytest.fixture
def full(rtx):
    """TensorRT-RTX, looking like the full library: what both have is the same."""
    module = ModuleType("tensorrt")
    vars(module).update({k: v for k, v in vars(rtx.module).items() if k != "ComputeCapability"})
    return Library(module, "tensorrt", rtx.version)


def test_the_card_describes_the_engine(rtx, bands):
    plan, card = build(rtx, bands, max_batch=4, optimal_batch=2, compute_capabilities=(86, 120))
    card.check(plan)
    assert dataclasses.replace(card, size=0, sha256="") == dataclasses.replace(
        card,
        library="tensorrt_rtx",
        version=rtx.version,
        device="",
        capabilities=(86, 120),
        precision="fp32",
        onnx_sha256=bands.sha256,
        inputs=(Tensor("fbank", "float32", (-1, 98, 128)),),
        outputs=(Tensor("clip", "float32", (-1, 2)),),
        profile=Profile((1, 98, 128), (2, 98, 128), (4, 98, 128)),
        size=0,
        sha256="",
    )


def test_an_engine_holds_the_weights_of_the_graph(rtx, home):
    plan, card = build(rtx, home)
    assert len(plan) > home.onnx.stat().st_size
    shapes = {output.name: output.shape[1:] for output in card.outputs}
    assert home.outputs.items() <= shapes.items()


def test_frame_scores_are_an_output_of_the_engine(rtx, framed_model):
    _, card = build(rtx, load_bundle(framed_model))
    frame = Tensor("frame", "float32", (-1, 12, 2))
    assert set(card.outputs) == {Tensor("clip", "float32", (-1, 2)), frame}


def test_a_graph_with_names_of_its_own_becomes_an_engine_with_ours(rtx, tmp_path):
    folder = write_bundle(tmp_path, name="input_values", output="scores")
    graph = dataclasses.asdict(GraphSpec("input_values", "scores"))
    write_tree(folder, make_tree(folder) | {"format": 3, "graph": graph})
    _, card = build(rtx, load_bundle(folder))
    assert card.inputs == (Tensor("fbank", "float32", (-1, 98, 128)),)
    assert card.outputs == (Tensor("clip", "float32", (-1, 2)),)


@pytest.fixture
def parted(model_folder):
    """A bundle whose weights stand in a file beside the graph."""
    graph = model_folder / "model.onnx"
    options = {"location": "model.onnx.data", "size_threshold": 0}
    onnx.save(onnx.load(graph), graph, save_as_external_data=True, **options)
    tree = make_tree(model_folder)
    tree["files"]["model.onnx.data"] = file_sha256(model_folder / "model.onnx.data")
    write_tree(model_folder, tree)
    return load_bundle(model_folder)


def test_weights_in_a_file_beside_the_graph_are_read(rtx, parted):
    plan, card = build(rtx, parted)
    card.check(plan)


def test_weights_that_are_missing_are_said(rtx, parted):
    (parted.folder / "model.onnx.data").unlink()
    with pytest.raises(EngineError, match=r"model\.onnx: tensorrt_rtx .* cannot read the graph"):
        build(rtx, parted)


@pytest.mark.parametrize("damage", ["empty", "zeros", "text", "half", "altered"])
def test_a_damaged_graph_is_refused_in_one_line(rtx, bands, tmp_path, caplog, damage):
    good = bands.onnx.read_bytes()
    content = {
        "empty": b"",
        "zeros": bytes(100),
        "text": b"not a graph",
        "half": good[: len(good) // 2],
        "altered": b"\xff" * 100 + good[100:],
    }
    (tmp_path / "model.onnx").write_bytes(content[damage])
    with pytest.raises(EngineError, match=rf"{tmp_path}/model\.onnx: ") as caught:
        build(rtx, dataclasses.replace(bands, folder=tmp_path))
    assert "\n" not in str(caught.value)
    assert caplog.records == []


@pytest.mark.parametrize("graph", [{"name": "audio"}, {"output": "scores"}], ids=str)
def test_the_graph_of_another_project_is_refused(rtx, tmp_path, graph):
    bundle = load_bundle(write_bundle(tmp_path, **graph))
    with pytest.raises(EngineError, match="is not the graph of a bundle: expected the input fbank"):
        build(rtx, bundle)


def test_a_graph_for_one_size_of_batch_is_refused(rtx, model_folder):
    graph = onnx.load(model_folder / "model.onnx")
    for tensor in (*graph.graph.input, *graph.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(graph, model_folder / "model.onnx")
    write_tree(model_folder, make_tree(model_folder))
    with pytest.raises(EngineError, match=r"got fbank \(1, 98, 128\), clip \(1, 2\)"):
        build(rtx, load_bundle(model_folder))


def test_a_graph_for_processors_is_refused(rtx, bands):
    with pytest.raises(EngineError, match="int8, which is for processors"):
        build(rtx, dataclasses.replace(bands, precision="int8"))


def test_an_unknown_compute_capability_is_refused_with_those_there_are(rtx, bands):
    with pytest.raises(EngineError, match="capability 87: expected some of 75, 80, 86"):
        build(rtx, bands, compute_capabilities=(86, 87))


@pytest.mark.parametrize(
    "option",
    [
        {"version_compatible": True},
        {"hardware_compatible": True},
        {"timing_cache": "times"},
    ],
    ids=str,
)
def test_what_tensorrt_rtx_lacks_is_refused(rtx, bands, option):
    with pytest.raises(EngineError, match=r"^tensorrt_rtx \S+ does not have "):
        build(rtx, bands, **option)


def test_the_full_library_builds_for_no_other_gpu(full, bands):
    with pytest.raises(EngineError, match="builds for the GPU it runs on only"):
        build(full, bands, compute_capabilities=(86,))


@pytest.mark.parametrize(
    "options",
    [
        {"max_batch": 0, "optimal_batch": 0},
        {"max_batch": 4, "optimal_batch": 5},
        {"workspace_mib": 0},
        {"builder_level": 6},
    ],
    ids=str,
)
def test_options_that_cannot_be_meant_are_refused(options):
    with pytest.raises(ConfigError, match=r"^expected "):
        BuildOptions(**options)


def test_a_workspace_that_is_too_small_is_said(rtx, home):
    with pytest.raises(EngineError, match="could not build an engine in a workspace of 1 MiB: "):
        build(rtx, home, workspace_mib=1)


def test_what_the_builder_says_in_a_failure_is_passed_on(full, bands):
    # TensorRT-RTX comes without the library for engines of other versions.
    with pytest.raises(EngineError, match=r"could not build an engine: .*libnvinfer_lean"):
        build(full, bands, version_compatible=True)


def test_progress_goes_through_phases(rtx, home):
    watch = Watch()
    build_engine(rtx, home, BuildOptions(), watch)
    assert len({phase for phase, _, _ in watch.steps}) > 1
    assert all(0 <= done <= total for _, done, total in watch.steps)


def test_an_exception_from_the_progress_stops_the_build(rtx, home):
    def refuse():
        raise InterruptedError("enough")

    watch = Watch(refuse)
    with pytest.raises(InterruptedError, match="enough"):
        build_engine(rtx, home, BuildOptions(), watch)
    assert len(watch.steps) == 1


def test_ctrl_c_stops_the_build(rtx, home, capfd):
    watch = Watch(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        build_engine(rtx, home, BuildOptions(), watch)
    assert capfd.readouterr() == ("", "")


def test_after_a_build_that_was_stopped_another_succeeds(rtx, bands, home):
    with pytest.raises(KeyboardInterrupt):
        build_engine(rtx, home, BuildOptions(), Watch(lambda: signal.raise_signal(signal.SIGINT)))
    plan, card = build(rtx, bands)
    card.check(plan)


# TensorRT-RTX has the functions of the timing cache still, but they do nothing.
timing = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@timing
def test_a_timing_cache_is_written(full, bands, tmp_path):
    build(full, bands, timing_cache=tmp_path / "times.bin")
    assert (tmp_path / "times.bin").stat().st_size > 0


@timing
def test_a_timing_cache_that_is_refused_is_begun_anew_with_one_line(full, bands, tmp_path, caplog):
    path = tmp_path / "times.bin"
    path.write_bytes(b"garbage")
    build(full, bands, timing_cache=path)
    ours = [message for message in caplog.messages if str(path) in message]
    assert ours == [f"{path}: holds no times of this TensorRT and GPU; it is begun anew"]
    assert path.read_bytes() != b"garbage"


@timing
def test_a_timing_cache_that_cannot_be_written_does_not_cost_the_engine(full, bands, caplog):
    plan, card = build(full, bands, timing_cache=bands.onnx / "times.bin")
    card.check(plan)
    assert "times.bin: cannot be written" in caplog.text


@pytest.fixture
def here():
    """The library and the GPU of this machine."""
    if reason := missing():
        pytest.skip(reason)
    try:
        return find_library()
    except EngineError as exc:
        pytest.skip(str(exc))


@pytest.mark.gpu
def test_an_engine_has_the_inputs_outputs_and_profile_of_its_card(here, bands):
    plan, card = build(here, bands, max_batch=4, optimal_batch=2)
    engine = here.module.Runtime(here.messages.logger).deserialize_cuda_engine(plan)
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
    assert shapes == {tensor.name: tensor.shape for tensor in (*card.inputs, *card.outputs)}
    profile = [tuple(shape) for shape in engine.get_tensor_profile_shape("fbank", 0)]
    assert profile == [card.profile.min, card.profile.opt, card.profile.max]


@pytest.mark.gpu
def test_a_timing_cache_is_taken_by_the_next_build(here, bands, tmp_path, caplog):
    if here.capabilities:
        pytest.skip(f"{here.title} has no timing cache")
    build(here, bands, timing_cache=tmp_path / "times.bin")
    build(here, bands, timing_cache=tmp_path / "times.bin")
    assert "begun anew" not in caplog.text


@pytest.mark.gpu
@pytest.mark.parametrize("option", ["version_compatible", "hardware_compatible"])
def test_the_full_library_builds_compatible_engines(here, bands, option):
    if here.capabilities:
        pytest.skip(f"{here.title} has none")
    plan, card = build(here, bands, **{option: True})
    card.check(plan)
