"""What only a download can run into, under the one error tree of `ast_edge.base.errors`."""

from ast_edge.base.errors import AstError


class HubError(AstError):
    """A server cannot be reached, or does not give what was asked for (EX_UNAVAILABLE)."""

    exit_code = 69


class MissingError(HubError):
    """The server has no such file."""


class StorageError(AstError):
    """A download or a bundle cannot be written (EX_IOERR)."""

    exit_code = 74
