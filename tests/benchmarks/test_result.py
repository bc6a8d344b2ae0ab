import sys

import pytest
from parts.result import command_line


@pytest.mark.parametrize("where", [["--results", "/tmp/here"], ["--results=/tmp/here"], []])
def test_the_command_is_that_of_the_benchmark_but_for_where_its_result_goes(monkeypatch, where):
    call = ["/a/checkout/benchmarks/scale.py", "--hop", "0.5", *where, "--sources", "1", "2"]
    monkeypatch.setattr(sys, "argv", call)
    assert command_line() == "python benchmarks/scale.py --hop 0.5 --sources 1 2"


def test_the_command_tells_no_folders_of_the_machine(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks/stream.py", "--bundle", "/a/home/bundles/cats"])
    assert command_line() == "python benchmarks/stream.py --bundle cats"
