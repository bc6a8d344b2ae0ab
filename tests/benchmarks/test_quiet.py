import subprocess
import sys
from multiprocessing import get_context

from parts.quiet import TICKS, Quiet, Watch, processor_seconds, together

STAT = """cpu  999 9 999 999 9 9 9 99 0 0
cpu0 100 1 20 900 5 3 4 7 0 0
cpu1 500 0 0 100 0 0 0 0 0 0
cpu10 1 1 1 1 1 1 1 1 0 0
intr 5 cpu0
"""
BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_only_the_processors_count_that_may_be_used():
    assert processor_seconds(STAT, {0}) == ((100 + 1 + 20 + 3 + 4) / TICKS, 7 / TICKS)
    assert processor_seconds(STAT, {1, 10}) == ((500 + 5) / TICKS, 1 / TICKS)


def test_what_children_compute_is_ones_own():
    watch = Watch()
    with watch.running():
        subprocess.run([sys.executable, "-c", BURN], check=True)
        child = get_context("spawn").Process(target=exec, args=(BURN,))
        child.start()
        child.join()
    assert child.exitcode == 0
    assert watch.found.own > 0.5


def test_what_another_process_computes_is_not_ones_own():
    watch = Watch()
    with watch.running():  # until the one that its parent has left behind closes the pipe
        left_behind = ["sh", "-c", '"$0" -c "$1" &', sys.executable, BURN]
        subprocess.run(left_behind, check=True, capture_output=True)
    assert watch.found.others > 0.2
    assert watch.found.own < 0.2


def test_a_machine_that_others_use_is_not_quiet():
    assert Quiet(wall=2.0, own=3.9, others=0.08, stolen=0.03).faults == []
    assert Quiet(wall=2.0, own=3.9, others=0.5, stolen=0.2).faults == [
        "other processes took 25% of a core",
        "the host took away 10% of a core",
    ]


def test_one_short_disturbance_of_many_turns_decides_nothing():
    calm, disturbed = Quiet(2.0, 2.0, 0.0, 0.0), Quiet(2.0, 2.0, 0.5, 0.0)
    assert disturbed.faults
    assert together([calm] * 9 + [disturbed]).faults == []
    assert together([calm, disturbed]).faults == ["other processes took 12% of a core"]
