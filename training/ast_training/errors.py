"""What only training can run into, under the one error tree of `ast_edge.errors`."""

from ast_edge.errors import AstError


class TrainingError(AstError):
    """A run cannot go on; its last checkpoint is intact (EX_IOERR)."""

    exit_code = 74
