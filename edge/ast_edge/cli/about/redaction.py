"""What of a configuration, and of text about it, strangers may read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import yaml

from ast_edge.base.printable import printable
from ast_edge.base.secret_values import hide, masked
from ast_edge.base.text_file import read_text
from ast_edge.base.yaml_loader import in_one_line
from ast_edge.base.yaml_references import SECRET, SECRETS
from ast_edge.sources.stream_url import SHORTEST_SECRET

HIDDEN = "***"
ENVIRONMENT = "environment"
"""The file of the service's variables, beside the configuration."""
_NAMES = ["password", "passphrase", "token", "secret", "credentials", "pin", "api_key"]
_NAMED = re.compile(r"passw|pwd|passphrase|token|secret|credential|api_?key|(^|_)(auth|pin)$", re.I)
_FILE = re.compile(r"(_file|_folder)$", re.I)
"""Where a secret stands is none."""
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*):/+\S*", re.I)
_SAID = re.compile(
    r"((?:passw(?!\w*_file)\w*|token|secret|pwd)['\"]?\s*[=:]\s*['\"]?)([^\s&,;'\"]+)", re.I
)
_LOGIN = re.compile(r"(\w:/+)[^\s/]*@")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass
class Redaction:
    """Hides what is secret, and remembers it, so that it is hidden in all text after."""

    hidden: int = 0
    """Values that were hidden in configurations."""
    _variables: set[str] = field(default_factory=set)

    def configuration(self, path: Path) -> str:
        """Return a configuration without secrets and comments; it need not be a valid one.

        Raises:
            OSError, UnicodeDecodeError: it cannot be read.
        """
        text = read_text(path)
        try:
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.YAMLError as exc:
            return f"# left out, because it is not YAML: {printable(in_one_line(exc))}\n"
        if root is None:
            return "# empty\n"
        self._variables |= set(_VARIABLE.findall(text))
        self._visit(root, "", set())
        self._learn_secrets(path.with_name(SECRETS))
        shown: str = yaml.serialize(root, allow_unicode=True)
        return self.text(shown)

    def variables(self, environment: dict[str, str]) -> None:
        """Hide what the configuration takes from these variables."""
        for name in self._variables & environment.keys():
            hide(environment[name], f"${{{name}}}")

    def text(self, text: str) -> str:
        """Return any text without what is known to be secret, or looks like it."""
        shown = _LOGIN.sub(rf"\1{HIDDEN}@", masked(text))
        return _SAID.sub(lambda found: found[1] + _unless_shown(found[2]), shown)

    def _visit(self, node: yaml.Node, key: str, visited: set[tuple[int, bool]]) -> None:
        way = (id(node), _is_secret(key))
        if way in visited:  # an alias
            return
        visited.add(way)
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                inner = name.value if isinstance(name, yaml.ScalarNode) else ""
                self._visit(name, "", visited)
                # What is under a secret is one, a list of passwords perhaps.
                self._visit(value, key if _is_secret(key) else inner, visited)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._visit(item, key, visited)
        elif isinstance(node, yaml.ScalarNode):
            self._redact(node, key)

    def _redact(self, node: yaml.ScalarNode, key: str) -> None:
        value = node.value
        if node.tag == SECRET or not value or _VARIABLE.fullmatch(value):
            return  # a reference
        if _is_secret(key):
            node.value = HIDDEN
        elif _ADDRESS.search(value):
            node.value = _ADDRESS.sub(rf"\1://{HIDDEN}", value)
        elif "@" in value:
            node.value = HIDDEN + value[value.rindex("@") :]
        if node.value != value:
            self.hidden += 1
            node.tag, node.style = "tag:yaml.org,2002:str", None
            for part in _parts(value):
                hide(part, HIDDEN)

    def _learn_secrets(self, path: Path) -> None:
        """Hide all that stands in the file of secrets, wherever it turns up."""
        try:
            root = yaml.compose(read_text(path), yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return  # there is none that could have been used
        for value in _scalars(root):
            hide(value, HIDDEN)


def read_environment(path: Path) -> dict[str, str]:
    """Return the variables of a systemd EnvironmentFile; none where there is no such file."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (
        line.strip().partition("=") for line in lines if not line.strip().startswith(("#", ";"))
    )
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs if value.strip()}


def learn_file(path: Path) -> None:
    """Hide the first line of a file that holds a secret, if it can be read."""
    try:
        secret = read_text(path).partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        return
    if len(secret) >= SHORTEST_SECRET:
        hide(secret, HIDDEN)


def _is_secret(key: str) -> bool:
    """Tell whether a key's value is a secret; the key may be misspelt, which is why it is asked."""
    if _FILE.search(key):
        return False
    near = get_close_matches(key.casefold(), _NAMES, n=1, cutoff=0.75)
    return bool(_NAMED.search(key) or near)


def _parts(value: str) -> Iterator[str]:
    """Yield a secret and what may be quoted of it: user and password, path and query."""
    yield value
    for part in re.split(r"[/@:?#&\s]+", value):
        if len(part) >= SHORTEST_SECRET and part.lower() not in ("rtsp", "rtsps", "http", "https"):
            yield part


def _scalars(root: yaml.Node | None) -> Iterator[str]:
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.ScalarNode):
            yield node.value


def _unless_shown(value: str) -> str:
    return value if value.startswith(("!secret", "${", HIDDEN)) else HIDDEN
