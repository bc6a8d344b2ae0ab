"""Labels of the data sets that AST models are published for, in the order of their outputs."""

from importlib.resources import files
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.yaml_file import Section, did_you_mean
from ast_edge.model.label import Label
from ast_training.data.tables import read_labels


class WantedList(Section):
    """Labels that models are made for in a file of their own, for several recipes."""

    wanted: list[str]


def label_table(name: str) -> tuple[Label, ...]:
    """Return the labels of a data set: audioset (527), esc50 (50) or speechcommands (35).

    Raises:
        ConfigError: if there is no such table, with the nearest match.
    """
    folder = Path(str(files("ast_training.data"))) / "label_tables"
    tables = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if name not in tables:
        raise ConfigError(f"no label table {name!r}{did_you_mean(name, list(tables))}")
    return read_labels(tables[name])
