"""Make `python -m ast_edge` the command `ast-edge`."""

import sys

from ast_edge.cli.main import main

sys.exit(main())
