"""Measure training beside Hugging Face's AST in an ordinary PyTorch loop, in one run.

python benchmarks/training.py --size tiny --frames 512 --stride 10 --batch 8
python benchmarks/training.py --size base --frames 1024 --stride 10 --batch 48 --workers 14

A step is all of it: read the file, compute the filterbank, mask it (SpecAugment), forward,
backward, AdamW. Both sides read the same files, with as many loader processes. The peer uses its
own feature extractor and PyTorch's defaults; at its default precision (float32) and, where the
device multiplies bfloat16 faster, in that as well, which ours chooses by itself there. Each
turn is a process of its own; a run in which the machine was not quiet, or the peer stayed below
80 % of what it can reach, is called not comparable.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from parts.apart import apart
from parts.comparable import Reach, doubts
from parts.quiet import Quiet, Watch, together
from parts.window_side import Side, in_turn
from torch import Tensor
from torch.autograd.profiler_util import FunctionEventAvg
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchaudio.transforms import FrequencyMasking, TimeMasking

from ast_edge.frontend.fbank import FbankSpec, fbank
from ast_edge.model.label import Label
from ast_edge.model.spec import SIZES
from ast_training.base.processes import Processes
from ast_training.data.augmentation import fit_length, mask
from ast_training.data.clip_list import ClipList, RawClip
from ast_training.data.clips import ClipSet
from ast_training.data.example import batches
from ast_training.datasets.prepare import prepare
from ast_training.model.network import AudioSpectrogramTransformer
from ast_training.recipe.recipe import Recipe
from ast_training.run.fit import train_step
from ast_training.run.precision import has_bf16
from ast_training.run.state import TrainingState
from ast_training.run.training_data import open_data

LABELS, FREQ_MASK, TIME_MASK = 527, 48, 48
RATE = FbankSpec().sample_rate
VARIANTS = ("ours", "peer", "ours fp32", "peer bf16")
"""Sides and precisions: ours as its recipe leaves it ("auto"), the peer as it is (float32)."""


def main() -> None:
    """Print clips per second, ratios, memory per clip and where the time goes."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.data or scratch)
        if not (folder / "set.json").exists():
            _make_clips(folder, args)
        if args.only:
            _measure_memory(args, folder)
            return
        print(
            f"AST-{args.size}, {args.frames} frames, stride {args.stride}, batch {args.batch}, "
            f"{args.workers} workers, {torch.get_num_threads()} threads, {_device().type}"
        )
        speeds, doubted = _race(args, folder)
        for name, values in speeds.items():
            print(
                f"{name:10s} {statistics.median(values):7.2f} clips/s "
                f"({min(values):.2f} to {max(values):.2f}, {len(values)} rounds)"
            )
        for a, b, what in (
            ("ours", "peer", "as they are"),
            ("ours", "peer bf16", "the same precision, bf16"),
            ("ours fp32", "peer", "the same precision, fp32"),
        ):
            if a in speeds and b in speeds:
                ratios = [x / y for x, y in zip(speeds[a], speeds[b], strict=True)]
                low, high = min(ratios), max(ratios)
                print(f"{statistics.median(ratios):5.2f} x ({low:.2f} to {high:.2f}) {what}")
        if doubted:
            print(f"not comparable: {'; '.join(doubted)}")
        _print_stages(args, folder)
        _print_utilization(args, statistics.median(speeds["ours"]))
        for name in ("ours", "peer"):
            print(f"{name:10s} {_memory_per_clip(args, folder, name):.0f} MB a clip", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="tiny")
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--stride", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2, help="of a round")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="compile our network")
    alike = () if has_bf16(_device()) else VARIANTS[2:]  # then ours is fp32 by itself, too
    variants = [name for name in VARIANTS if name not in alike]
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=variants)
    parser.add_argument("--peak", type=float, help="the device's TFLOP/s in bf16, for a share")
    parser.add_argument("--data", help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


def _make_clips(folder: Path, args: argparse.Namespace) -> None:
    """Write as many noisy clips as a round takes, and prepare them."""
    rng = np.random.default_rng(0)
    samples = FbankSpec().samples_in(args.frames)
    labels = tuple(Label(i, f"label {i}", "") for i in range(LABELS))
    clips = []
    (folder / "noise").mkdir(parents=True)
    for number in range(max(args.batch * args.steps, 16) + 1):
        path = folder / "noise" / f"{number}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal(samples).astype(np.float32), RATE)
        split = "train" if number else "validation"
        clips.append(RawClip(path.name, path, (f"label {number % LABELS}",), split))
    prepare(ClipList("noise", labels, clips), folder)


# The two sides: each yields after every step


def _ours(args: argparse.Namespace, folder: Path, precision: str) -> Iterator[None]:
    recipe = _recipe(args, folder, precision)
    device = _device()
    examples, _ = open_data(recipe)
    nowhere = folder / "none.safetensors"
    state = TrainingState.start(recipe, args.steps, nowhere, Processes(device))
    state.network.train()
    rng = np.random.default_rng(0)
    for epoch in range(1_000_000):
        order = rng.integers(len(examples), size=(args.steps, args.batch)).tolist()
        for batch in batches(examples, epoch, order, args.workers):
            train_step(state, batch, 1 / args.batch, recipe)
            yield


class _Files(Dataset[tuple[Tensor, Tensor]]):
    """The peer's clips: read, extracted and masked as its documentation and torchaudio do it."""

    def __init__(self, clips: ClipSet, frames: int) -> None:
        from transformers import ASTFeatureExtractor  # seconds, which our loaders need not spend

        self.clips = clips
        self.extractor = ASTFeatureExtractor(max_length=frames)
        self.masks = torch.nn.Sequential(FrequencyMasking(FREQ_MASK), TimeMasking(TIME_MASK))

    def __len__(self) -> int:
        return len(self.clips) - 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        samples, rate = soundfile.read(self.clips[index + 1].path, dtype="float32")
        values = self.extractor(samples, sampling_rate=rate, return_tensors="pt").input_values
        return self.masks(values.mT).mT[0], torch.from_numpy(self.clips.target(index + 1))


def _peer(args: argparse.Namespace, folder: Path, precision: str) -> Iterator[None]:
    from transformers import ASTConfig, ASTForAudioClassification

    width, depth, heads = SIZES[args.size]
    config = ASTConfig(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        frequency_stride=args.stride,
        time_stride=args.stride,
        max_length=args.frames,
        num_labels=LABELS,
        problem_type="multi_label_classification",
    )
    device = _device().type
    model = ASTForAudioClassification(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    files = _Files(ClipSet.open(folder), args.frames)
    while True:
        sampler = torch.utils.data.RandomSampler(
            files, replacement=True, num_samples=args.batch * args.steps
        )
        for features, targets in DataLoader(
            files, args.batch, sampler=sampler, num_workers=args.workers
        ):
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                loss = model(features.to(device), labels=targets.to(device)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _side(args: argparse.Namespace, folder: Path, variant: str) -> Iterator[None]:
    make = _ours if variant.startswith("ours") else _peer
    default = "auto" if make is _ours else "fp32"
    return make(args, folder, variant.partition(" ")[2] or default)


def _recipe(args: argparse.Namespace, folder: Path, precision: str) -> Recipe:
    tree: dict[str, Any] = {
        "name": "benchmark",
        "labels": {f"label {i}": "" for i in range(LABELS)},
        "model": {
            "size": args.size,
            "frames": args.frames,
            "stride": [args.stride, args.stride],
            "mean": -4.2677393,
            "std": 4.5689974,
        },
        "data": {"folder": str(folder)},
        "augment": {"freq_mask": FREQ_MASK, "time_mask": TIME_MASK},
        "optimizer": {"lr": 1e-5, "weight_decay": 0.01, "batch": args.batch},
        "loop": {"precision": precision, "compile": args.compile, "workers": args.workers},
    }
    return Recipe.model_validate(tree)


# What is measured


def _race(args: argparse.Namespace, folder: Path) -> tuple[dict[str, list[float]], list[str]]:
    """Run the variants in turn, round after round and each time in another order.

    Returns clips per second, and why they must not be compared with others.
    """
    threads, on_gpu = torch.get_num_threads(), torch.cuda.is_available()
    speeds: dict[str, list[float]] = {name: [] for name in args.variants}
    alone, quiets, order = list[float](), list[Quiet](), random.Random(0)
    reaches = "peer" in speeds and not on_gpu
    for _ in range(args.rounds):
        for name in order.sample(args.variants, len(args.variants)):
            speed, quiet = apart({}, _turn, args, folder, name, threads)
            speeds[name].append(speed)
            quiets.append(quiet)
        if reaches:
            alone.append(apart({}, _turn, args, folder, "peer", 1)[0])
    faults = together(quiets).faults
    if not reaches:
        return speeds, faults
    products = [
        in_turn(Side("products", "fp32", count, folder, spins=True), 1, 1.5)
        for count in (1, threads)
    ]
    one, all_threads = (min(turn.seconds) for turn in products)
    needed = [1 / speed for speed in speeds["peer"]]
    reach = Reach(
        "the peer", statistics.median(needed), min(needed), 1 / max(alone), one / all_threads
    )
    return speeds, doubts(reach, 1.0, faults)  # both sides have one library


def _turn(
    args: argparse.Namespace, folder: Path, variant: str, threads: int
) -> tuple[float, Quiet]:
    """Take the steps of a round after one that does not count; return clips per second."""
    torch.set_num_threads(threads)
    side, watch = _side(args, folder, variant), Watch()
    next(side)
    with watch.running():
        seconds = _seconds(lambda: [next(side) for _ in range(args.steps)])
    return args.steps * args.batch / seconds, watch.found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _memory_per_clip(args: argparse.Namespace, folder: Path, variant: str) -> float:
    """Return MB per clip: what a batch takes more than one clip does, each in its own process."""
    options = {k: getattr(args, k) for k in ("size", "frames", "stride")}
    options |= {"data": folder, "only": variant}
    own = [f"--{name}={value}" for name, value in options.items()]
    peaks = [
        float(
            subprocess.run(
                [sys.executable, __file__, *own, f"--batch={batch}"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for batch in (1, args.batch)
    ]
    return (peaks[1] - peaks[0]) / max(1, args.batch - 1)


def _measure_memory(args: argparse.Namespace, folder: Path) -> None:
    side = _side(args, folder, args.only)
    next(side)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak that the imports made
    next(side)
    if torch.cuda.is_available():
        print(torch.cuda.max_memory_allocated() / 1e6)
    else:
        status = Path("/proc/self/status").read_text()
        print(int(status.partition("VmHWM:")[2].split()[0]) / 1e3)


def _print_stages(args: argparse.Namespace, folder: Path) -> None:
    """Say where the time of one of our clips goes, stage by stage, one after the other."""
    clips, spec, rng = ClipSet.open(folder), FbankSpec(), np.random.default_rng(0)
    seconds: dict[str, float] = {}
    seconds["read"] = _seconds(lambda: [clips.samples(i) for i in range(1, 9)]) / 8
    waves = [clips.samples(i) for i in range(1, 9)]
    seconds["filterbank"] = _seconds(lambda: [fbank(wave, spec) for wave in waves]) / 8
    features = [fit_length(fbank(wave, spec), args.frames) for wave in waves]
    masked = lambda: [mask(f, FREQ_MASK, TIME_MASK, rng) for f in features]  # noqa: E731
    seconds["augment"] = _seconds(masked) / 8
    side = _side(args, folder, "ours")
    next(side)
    step = _seconds(lambda: [next(side) for _ in range(args.steps)]) / args.steps / args.batch
    loader = sum(seconds.values()) / max(1, args.workers)
    seconds["network and optimizer"] = step - (0 if args.workers else loader)
    print("where a clip's time goes (ms of one process):", end=" ")
    print(", ".join(f"{name} {1000 * value:.1f}" for name, value in seconds.items()))
    with torch.profiler.profile() as profile:
        next(side)
    events = sorted(profile.key_averages(), key=lambda e: -_self_time(e))
    total = sum(map(_self_time, events)) or 1
    print("of a step:", ", ".join(f"{e.key} {_self_time(e) / total:.0%}" for e in events[:8]))


def _self_time(event: FunctionEventAvg) -> float:
    on_device = torch.cuda.is_available()
    return float(event.self_device_time_total if on_device else event.self_cpu_time_total)


def _print_utilization(args: argparse.Namespace, speed: float) -> None:
    recipe = _recipe(args, Path(), "fp32")
    model = AudioSpectrogramTransformer(recipe.model_spec)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, args.frames, 128)).sum().backward()
    flops = speed * counter.get_total_flops() / 1e12
    share = f", {flops / args.peak:.0%} of {args.peak:g}" if args.peak else ""
    print(f"{flops:.2f} TFLOP/s in matrix products{share}")


if __name__ == "__main__":
    main()
