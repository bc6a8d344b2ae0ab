"""What only an archive can run into, under the one error tree of `ast_edge.base.errors`."""

from ast_edge.base.errors import AstError


class ArchiveError(AstError):
    """A folder of results does not fit what is asked for, or a library is missing (EX_DATAERR)."""

    exit_code = 65


class ArchiveStorageError(AstError):
    """The results cannot be written or read (EX_IOERR)."""

    exit_code = 74
