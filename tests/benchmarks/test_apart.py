import os
from pathlib import Path

import pytest
from parts.apart import SLEEP, apart


def test_work_has_a_process_of_its_own_that_has_ended_when_it_is_done():
    pid = apart({}, os.getpid)
    assert pid != os.getpid()
    assert not Path(f"/proc/{pid}").exists()


def test_the_environment_holds_there_and_nowhere_else(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert apart(SLEEP, os.getenv, "OMP_WAIT_POLICY") == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_fault_there_is_raised_here():
    with pytest.raises(ValueError, match="invalid literal"):
        apart({}, int, "one")
