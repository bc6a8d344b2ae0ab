"""Training processes started by torchrun, on CPUs."""

import os
import socket
import subprocess
import sys


def torchrun(*command: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a script, or `-m` and a module, in several processes and wait for them."""
    launcher = [sys.executable, "-m", "torch.distributed.run"]
    # By --standalone they would meet at the host's name, which need not resolve (in a container).
    launcher += ["--master-addr", "127.0.0.1", "--master-port", str(_free_port())]
    return subprocess.run(
        [*launcher, "--nproc-per-node", str(processes), *command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"},
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
