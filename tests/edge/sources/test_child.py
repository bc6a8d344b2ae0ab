import contextlib
import sys

import pytest

from ast_edge.sources.child import Child, ChildError


@contextlib.contextmanager
def child(program, *arguments):
    """Run a Python program as a child."""
    running = Child([sys.executable, "-c", program, *arguments])
    try:
        yield running
    finally:
        running.close()


def test_a_line_and_then_exactly_so_many_bytes():
    with child("print('head'); print('0123456789', end='')") as running:
        assert running.read_line(10) == "head"
        assert running.read(4, 10) == b"0123"
        assert running.read(6, 10) == b"456789"


def test_the_last_line_of_its_stderr_is_the_reason_for_its_end():
    program = "import sys; print('first', file=sys.stderr); sys.exit('no such device')"
    with child(program) as running, pytest.raises(ChildError, match=r"^no such device$"):
        running.read(1, 10)


def test_without_a_word_the_status_is_the_reason():
    with child("raise SystemExit(3)") as running, pytest.raises(ChildError, match="status 3"):
        running.read(1, 10)


def test_a_clean_end_is_an_error_too():
    with child("") as running, pytest.raises(ChildError, match="status 0"):
        running.read(1, 10)


def test_silence_is_noticed():
    with child("input()") as running, pytest.raises(ChildError, match=r"no data for 0\.2 s"):
        running.read(1, 0.2)


def test_chatter_on_stderr_is_no_data():
    program = "import sys\nwhile True: print('noise', file=sys.stderr)"
    with child(program) as running, pytest.raises(ChildError, match=r"no data for 0\.5 s"):
        running.read(1, 0.5)


def test_a_line_without_end_is_refused():
    program = "import sys\nwhile True: sys.stdout.write('x' * 1000)"
    with child(program) as running, pytest.raises(ChildError, match="expected a line of text"):
        running.read_line(10)


def test_a_missing_program_is_named():
    with pytest.raises(ChildError, match="no-such-program cannot be started: No such file"):
        Child(["no-such-program"])


def test_kill_ends_a_read_that_waits():
    with child("input()") as running:
        running.kill()
        running.kill()
        with pytest.raises(ChildError, match="status -9"):
            running.read(1, 60)


def test_kill_waits_for_nothing_and_close_leaves_no_process(monkeypatch):
    # One that is in the kernel's hands, as with a dying USB device, can only be waited for.
    with child("input()") as running:
        process = running._process
        with monkeypatch.context() as patch:
            patch.setattr(process, "wait", lambda timeout: pytest.fail("it waits"))
            running.kill()
    assert process.returncode == -9


def test_it_does_not_import_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('imported a file of the user')")
    monkeypatch.chdir(tmp_path)
    with child("import json; print(json.dumps([1]))") as running:
        assert running.read_line(10) == "[1]"
