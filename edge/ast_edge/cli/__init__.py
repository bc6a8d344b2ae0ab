"""The command `ast-edge`: one module per sub-command."""

import os

# NumPy's threads wait for the next product by spinning for a tenth of a second: a fifth of a core
# for a microphone, where one thread has computed the filterbank of a hop in less than a
# millisecond. It must be said before NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
