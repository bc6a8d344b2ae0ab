"""Training processes started by torchrun, on CPUs."""

import os
import subprocess
import sys

from rigs.ports import free_port


def torchrun(*command: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script, or `-m` and a module, in several processes and wait for them."""
    launcher = [sys.executable, "-m", "torch.distributed.run"]
    # By --standalone they would meet at the host's name, which need not resolve (in a container).
    launcher += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    return subprocess.run(
        [*launcher, "--nproc-per-node", str(processes), *command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"},
    )
