"""No graph computes more than its network needs: what an export adds would show here."""

from dataclasses import replace

import pytest
from parts.operations import multiply_adds

from ast_edge.model.bundle import find_bundle, load_bundle
from ast_edge.model.spec import SIZES, ModelSpec

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
from ast_export.flops import count_flops
from ast_export.graph import export_graph
from ast_export.merged import MergedModel
from ast_training.model.network import AudioSpectrogramTransformer


def spec_of(size, frames, **options):
    width, depth, heads = SIZES[size]
    spec = ModelSpec(labels=7, frames=frames, width=width, depth=depth, heads=heads)
    return replace(spec, **options)


def exported(spec, path):
    export_graph(MergedModel([AudioSpectrogramTransformer(spec)]), path)
    return path


def test_the_graph_that_is_shipped_computes_what_its_network_needs():
    bundle = load_bundle(find_bundle("home"))
    assert count_flops(bundle.onnx) == 2 * sum(map(multiply_adds, bundle.members))


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        spec_of("tiny", 96),
        spec_of("tiny", 96, depth=2, frame_head=True),
        spec_of("tiny", 96, depth=2, patch=(128, 4), stride=(128, 4)),
        spec_of("base", 64, depth=2),
    ],
    ids=["tiny", "with a frame head", "patches as high as the spectrogram", "as wide as base"],
)
def test_an_exported_graph_computes_what_its_network_needs(tmp_path, spec):
    assert count_flops(exported(spec, tmp_path / "model.onnx")) == 2 * multiply_adds(spec)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "count"),
    [(spec_of("tiny", 96, depth=4), 11), (spec_of("base", 64, depth=3), 8)],
    ids=["odd", "as wide as base"],
)
def test_a_graph_that_merges_tokens_computes_so_much_less(tmp_path, spec, count):
    path = tmp_path / "model.onnx"
    export_graph(MergedModel([AudioSpectrogramTransformer(spec)], merge_tokens=count), path)
    assert count_flops(path) == 2 * multiply_adds(spec, count) < 2 * multiply_adds(spec)


def test_merging_takes_a_third_of_the_operations_of_base():
    spec = spec_of("base", 1024)
    assert multiply_adds(spec, 64) / multiply_adds(spec) == pytest.approx(2 / 3, abs=0.02)
