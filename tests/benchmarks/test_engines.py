from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
import engines
from engines import ALONE, PEER, REFERENCE, SPINS, Found, Peaks
from parts.networks import Network
from parts.quiet import Quiet
from parts.result import table_as_markdown
from parts.window_side import Turn

ARGS = Namespace(batch=1, threads=2, rounds=2)
CALM = Quiet(2.0, 4.0, 0.0, 0.0)


def turn(seconds, quiet=CALM):
    return Turn((seconds, seconds, seconds), quiet, np.zeros((1, 3), np.float32))


def found(quiet=CALM, peer=1.0):
    """Two rounds: the peer is faster with threads that spin, the engine twice as fast as that."""
    turns = {
        "openvino fp32": [turn(0.5, quiet), turn(0.5, quiet)],
        PEER: [turn(3.0), turn(3.0)],
        PEER + ALONE: [turn(1.9), turn(2.0)],
        PEER + SPINS: [turn(peer), turn(peer)],
    }
    return Found(Network("AST", Path(), flop=10**9, peer_flop=11 * 10**8), turns)


def peaks(library=2.4e9):
    alone = {"fp32": 1.25e9}
    return Peaks({"fp32": 2.5e9}, alone, {"fp32": library}, alone, [CALM])


def rows(table):
    return {row[0]: row[1:] for row in table.rows}


def test_a_side_counts_as_it_waits_fastest_and_one_thread_is_no_row():
    shown = rows(engines._table(ARGS, found(), peaks()))
    assert list(shown) == [PEER, "openvino fp32"]
    assert shown[PEER][0].startswith("1000.0 ")
    assert shown["openvino fp32"][1] == "2.00 (2.00 to 2.00)"


def test_each_side_has_its_share_of_the_peak_and_the_ratio_that_is_the_limit():
    shown = rows(engines._table(ARGS, found(), peaks()))
    assert shown[PEER][3] == "44%"  # 1.1 of 2.5 GFLOP/s
    assert shown["openvino fp32"][3:5] == ["80%", "2.5"]


@pytest.mark.parametrize(
    ("measured", "of", "reason"),
    [
        (found(Quiet(2.0, 4.0, 1.0, 0.0)), peaks(), "other processes took"),
        (found(peer=1.4), peaks(), "Hugging Face fp32 reached 68% of what it can"),
        (found(), peaks(library=1.25e9), "reach 50% of the peak"),
    ],
    ids=["not quiet", "held up", "another library"],
)
def test_a_ratio_that_is_not_honest_is_marked_in_the_table_and_in_its_cells(measured, of, reason):
    table = engines._table(ARGS, measured, of)
    assert reason in table.doubts[0]
    assert rows(table)["openvino fp32"][1].endswith(", not comparable")
    assert f"Its ratios are **not comparable**: {table.doubts[0]}" in table_as_markdown(table)


def test_a_network_without_a_peer_is_compared_with_the_reference():
    measured = found()
    turns = {name.replace(PEER, REFERENCE): of for name, of in measured.turns.items()}
    table = engines._table(ARGS, Found(Network("home", Path(), flop=10**9), turns), peaks())
    assert rows(table)[REFERENCE][1] == "1"
    assert table.doubts == []
