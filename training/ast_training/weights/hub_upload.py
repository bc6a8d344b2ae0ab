"""Files on their way to a model repository of the Hugging Face Hub."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.secret_values import hide, masked
from ast_training.base.errors import TrainingError


@dataclass(frozen=True)
class Repository:
    """What the Hub says of a repository."""

    files: frozenset[str] = frozenset()
    private: bool = True
    exists: bool = False


class HubUpload:
    """A repository `OWNER/NAME`, and whoever may write to it by the token of this machine.

    The token is that of `HF_TOKEN` or of `hf auth login`; it stands in no message.
    """

    def __init__(self, repository: str) -> None:
        """Look for the token.

        Raises:
            ConfigError: if it is no name of a repository.
        """
        if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII):
            raise ConfigError(f"expected a repository as OWNER/NAME, got {repository!r}")
        # Read when the package is imported.
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        from huggingface_hub import HfApi, get_token

        self.repository = repository
        self._token = get_token()
        if self._token:
            hide(self._token, "***")
        self._api = HfApi(token=self._token or False)

    @property
    def endpoint(self) -> str:
        """Address of the Hub."""
        return self._api.endpoint

    def look(self) -> Repository:
        """Ask the Hub what is there.

        Raises:
            TrainingError: if it cannot be asked.
        """
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._faults():
            try:
                found = self._api.model_info(self.repository)
            except RepositoryNotFoundError:  # or it is somebody else's, and private
                return Repository()
            names = frozenset(one.rfilename for one in found.siblings or ())
            return Repository(names, bool(found.private), exists=True)

    def send(self, files: Mapping[str, bytes | Path], *, private: bool, message: str) -> str:
        """Make the repository if there is none, and put the files there in one commit.

        Returns:
            The address of the commit.

        Raises:
            ConfigError: if there is no token.
            TrainingError: if the Hub refuses, or cannot be reached.
        """
        if not self._token:
            raise ConfigError("there is no token for the Hub: run `hf auth login`, or set HF_TOKEN")
        from huggingface_hub import CommitOperationAdd

        added = [CommitOperationAdd(name, content) for name, content in files.items()]
        with self._faults():
            self._api.create_repo(self.repository, private=private, exist_ok=True)
            done = self._api.create_commit(self.repository, added, commit_message=message)
        return str(done.commit_url)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn what the client raises into one line without the token."""
        from huggingface_hub import errors

        # The base of all errors of the client that the Hub is asked with.
        http_error = errors.HTTPError  # type: ignore[attr-defined]
        try:
            yield
        except (OSError, ValueError, RuntimeError, http_error) as exc:
            reason = " ".join(dict.fromkeys([*_ends_of(exc), *_ends_of(exc.__cause__)]))
            # Without the cause, which may quote the token.
            raise TrainingError(f"{self.endpoint}: {self.repository}: {reason}") from None


def _ends_of(fault: BaseException | None) -> list[str]:
    """Return the first and the last line of a message; a file not sent says why in its cause."""
    text = "" if fault is None else masked(str(fault)) or type(fault).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[:1] + lines[-1:]
