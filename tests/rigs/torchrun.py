"""Training processes started by torchrun, on CPUs."""

import os
import subprocess
import sys


def torchrun(*command: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script, or `-m` and a module, in several processes and wait for them."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", str(processes), *command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
