import pytest
from parts.installed_size import installed_sizes


def test_what_a_package_needs_is_counted_too():
    assert {"ast-edge", "pydantic", "pydantic-core"} <= installed_sizes([]).keys()


def test_the_bundles_are_part_of_the_package():
    assert installed_sizes([])["ast-edge"] > 5


def test_an_extra_is_counted_if_asked_for():
    pytest.importorskip("onnxruntime")
    extra = installed_sizes(["onnxruntime"]).keys() - installed_sizes([]).keys()
    assert "onnxruntime" in extra
