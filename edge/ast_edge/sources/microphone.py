"""Microphones as a source."""

import sys

from ast_edge.audio.sound_check import MUTED_SECONDS
from ast_edge.sources.child_source import ChildSource
from ast_edge.sources.pcm import PcmFormat


class MicrophoneSource(ChildSource):
    """An input device, recorded by a process of its own and opened again after every fault."""

    def __init__(
        self,
        name: str,
        device: str = "default",
        *,
        sample_rate: int | None = None,
        channels: int | None = None,
        channel: int | None = None,
        stall_timeout: float = 3.0,
        muted_seconds: float = MUTED_SECONDS,
        true_rate: int | None = None,
        judges_channels: bool = True,
    ) -> None:
        """Prepare to record from `device`; nothing is opened yet.

        Args:
            device: as `ast_edge.sources.devices.find_input` takes it.
            sample_rate: hertz to ask for; None is the device's own.
            channels: channels to ask for; None is its own, or one of what mixes, as a sound server.
            channel: the one that will be listened to, from 1; None is all.
            stall_timeout: seconds without sound after which the device is opened again.
            muted_seconds: seconds of digital silence that are a fault; 0 is never.
            judges_channels: whether to say what is wrong with the mean of all channels.
            true_rate: hertz that it really delivers; None believes the device.
        """
        # With "=", a device named "-" or "--list" stays a device.
        command = [sys.executable, "-m", "ast_edge.sources.capture", f"--device={device}"]
        if sample_rate is not None:
            command.append(f"--sample-rate={sample_rate}")
        channels = channels or channel
        if channels is not None:
            command.append(f"--channels={channels}")
        super().__init__(
            name,
            f"microphone {device!r}",
            command,
            channel=channel,
            stall_timeout=stall_timeout,
            muted_seconds=muted_seconds,
            true_rate=true_rate,
            judges_channels=judges_channels,
        )

    def _begun(self, pcm: PcmFormat) -> int | None:
        return pcm.sample_rate
