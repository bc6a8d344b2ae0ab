"""What keeps a sound from being enrolled."""

from ast_edge.base.errors import AstError


class EnrolmentError(AstError):
    """A sound cannot be learnt from what was given (EX_DATAERR)."""

    exit_code = 65
