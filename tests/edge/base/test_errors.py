import inspect

import pytest

from ast_edge.base import errors

TREE = [
    e for _, e in inspect.getmembers(errors, inspect.isclass) if e.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_every_error_is_an_ast_error_with_an_exit_code_of_its_own_kind(error):
    assert issubclass(error, errors.AstError)
    assert error.exit_code in {1, 65, 66, 69, 78}


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_every_error_stands_in_the_tree_of_the_docstring(error):
    assert error.__name__ in errors.__doc__


def test_a_message_is_one_line_that_can_be_printed_whatever_it_quotes():
    error = errors.ConfigError("line one\nline\ttwo \x1b[2J\x00 \u202e" + "x" * 9999)
    assert str(error).startswith("line one line two ?[2J? ?xxx")
    assert len(str(error)) == 1500
