"""The one error tree: every error a user can cause or meet is an `AstError`.

AstError
├── ConfigError    the configuration file cannot be used               exit 78
├── BundleError    a bundle is damaged, incomplete or does not fit     exit 65
├── AudioError     a recording or a microphone cannot be read          exit 66
├── EngineError    no inference engine can run the bundle here         exit 69
│   └── EngineUnavailable  there is no such device, nothing to mend
├── BrokerError    the MQTT broker cannot be started or used           exit 69
├── ServiceError   the service manager refuses, or there is none       exit 69
├── of archive/errors.py: ArchiveError (exit 65), ArchiveStorageError (exit 74)
├── of outputs/reviews.py: ReviewFileError (exit 65)
├── of enrolment/errors.py: EnrolmentError (exit 65)
├── of evaluation/errors.py: EvaluationError (exit 65) and OutputError (exit 74)
└── of hub/errors.py: HubError (exit 69), MissingError under it, and StorageError (exit 74)

A message says what was expected, what came, and what to do. The exit codes are those of
sysexits.h, so that a service manager can tell a bad configuration (78, never restart) from a fault
worth a retry.
"""

from typing import ClassVar

from ast_edge.base.secret_values import masked

LONGEST_MESSAGE = 1500
"""Characters."""


class AstError(Exception):
    """Root of all errors that are reported as one line instead of a traceback."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the message as one line that can be printed and has no secret in it."""
        line = " ".join(masked(super().__str__()).split())
        return "".join(c if c.isprintable() else "?" for c in line)[:LONGEST_MESSAGE]

    def __repr__(self) -> str:
        """Return the kind and the message as it may be shown."""
        return f"{type(self).__name__}({str(self)!r})"


class ConfigError(AstError):
    """The configuration cannot be used (EX_CONFIG)."""

    exit_code = 78


class BundleError(AstError):
    """A model bundle is damaged, incomplete, or made for another front end (EX_DATAERR)."""

    exit_code = 65


class AudioError(AstError):
    """A recording or an input device cannot be read (EX_NOINPUT)."""

    exit_code = 66


class EngineError(AstError):
    """No inference engine can run the bundle on this machine (EX_UNAVAILABLE)."""

    exit_code = 69


class EngineUnavailable(EngineError):
    """This machine has nothing that the engine could run on; not a fault, so `auto` passes on."""


class BrokerError(AstError):
    """The MQTT broker cannot be started or used (EX_UNAVAILABLE)."""

    exit_code = 69


class ServiceError(AstError):
    """The service manager refuses, or there is none (EX_UNAVAILABLE)."""

    exit_code = 69
