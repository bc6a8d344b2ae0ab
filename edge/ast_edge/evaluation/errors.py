"""What only an evaluation can run into, under the one error tree of `ast_edge.base.errors`."""

from ast_edge.base.errors import AstError


class EvaluationError(AstError):
    """Annotations cannot be used or do not fit the recordings (EX_DATAERR)."""

    exit_code = 65


class OutputError(AstError):
    """A report or a configuration cannot be written (EX_IOERR)."""

    exit_code = 74
