"""Microphones as a source."""

import sys

from ast_edge.child_source import ChildSource


class MicrophoneSource(ChildSource):
    """An input device, recorded by a process of its own and opened again after every fault."""

    def __init__(
        self,
        name: str,
        device: str = "default",
        *,
        sample_rate: int | None = None,
        channels: int | None = None,
        stall_timeout: float = 3.0,
    ) -> None:
        """Prepare to record from `device`; nothing is opened yet.

        Args:
            device: as `ast_edge.devices.find_input` takes it.
            sample_rate: hertz to ask for; None is the device's own.
            channels: channels to ask for; None is 1.
            stall_timeout: seconds without sound after which the device is opened again.
        """
        # With "=", a device named "-" or "--list" stays a device.
        command = [sys.executable, "-m", "ast_edge.capture", f"--device={device}"]
        if sample_rate is not None:
            command.append(f"--sample-rate={sample_rate}")
        if channels is not None:
            command.append(f"--channels={channels}")
        super().__init__(name, f"microphone {device!r}", command, stall_timeout=stall_timeout)
