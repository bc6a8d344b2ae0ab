"""What only training can run into, under the one error tree of `ast_edge.base.errors`."""

from ast_edge.base.errors import AstError


class TrainingError(AstError):
    """A run cannot go on; its last checkpoint is intact (EX_IOERR)."""

    exit_code = 74
