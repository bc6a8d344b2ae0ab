"""Building TensorRT engines from bundles, on the GPU that runs them or for others."""

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import ConfigError, EngineError
from ast_edge.base.files import write_files
from ast_edge.engines.trt.build_progress import BuildProgress, Monitor
from ast_edge.engines.trt.engine_card import FORMAT, EngineCard, Profile
from ast_edge.engines.trt.library import Handle, Library
from ast_edge.engines.trt.network import read_network
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)

LEVELS = range(6)
"""Of the builder: how many kernels it tries; 3 is TensorRT's own choice."""


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built."""

    max_batch: int = 8
    """Windows in the largest batch; more take several."""
    optimal_batch: int = 1
    """The batch it is fastest for."""
    workspace_mib: int | None = None
    """Memory on the GPU that kernels may use for themselves; None: all of it."""
    builder_level: int | None = None
    """How long to look for fast kernels, 0 to 5; None: the library's choice."""
    version_compatible: bool = False
    """Let newer versions of TensorRT run it too, a little slower."""
    hardware_compatible: bool = False
    """Let other GPUs run it too, Ampere and later, a little slower."""
    compute_capabilities: tuple[int, ...] = ()
    """Build for these GPUs (86 is 8.6); none: for the one here, or the library's choice."""
    timing_cache: Path | None = None
    """File with the times of kernels, which makes the next build faster."""

    def __post_init__(self) -> None:
        if not 1 <= self.optimal_batch <= self.max_batch:
            raise ConfigError(
                f"expected an optimal batch from 1 to the maximum, {self.max_batch}, "
                f"got {self.optimal_batch}"
            )
        if self.workspace_mib is not None and self.workspace_mib < 1:
            raise ConfigError(f"expected a workspace of 1 MiB or more, got {self.workspace_mib}")
        if self.builder_level is not None and self.builder_level not in LEVELS:
            raise ConfigError(f"expected a builder level from 0 to 5, got {self.builder_level}")


def build_engine(
    library: Library,
    bundle: Bundle,
    options: BuildOptions,
    progress: BuildProgress,
    device: str = "",
) -> tuple[bytes, EngineCard]:
    """Build an engine of the bundle's graph; `device` names the GPU here, if there is one.

    The types of the graph are kept: an fp16 bundle computes in fp16, and fp32 is not rounded to
    TF32. Ctrl-C, or an exception from `progress`, stops the builder and is raised on.

    Raises:
        EngineError: if the library lacks an option, the graph is damaged, computes in int8 or is
            not that of a bundle, there is no GPU where one is needed, or the builder fails.
    """
    check_options(library, options)
    if bundle.precision == "int8":
        raise EngineError(
            f"{bundle.name!r} computes in int8, which is for processors: export it again with "
            "--precision fp16"
        )
    monitor = Monitor(library)
    # In this thread, Ctrl-C would be raised in a callback of the builder, and lost there.
    with ThreadPoolExecutor(1) as pool:
        built = pool.submit(_build, library, bundle, options, monitor, device)
        try:
            done = False
            while not done:
                progress.step(*monitor.latest)
                done = bool(wait([built], timeout=0.5).done)
        finally:
            monitor.cancelled = True
    return built.result()


def check_options(library: Library, options: BuildOptions) -> None:
    """Refuse what the library cannot do.

    Raises:
        EngineError: with what it can.
    """
    known = library.capabilities
    rtx = bool(known)
    if options.compute_capabilities and not known:
        raise EngineError(
            f"{library.title} builds for the GPU it runs on only: build there, or install "
            "tensorrt_rtx"
        )
    for capability in options.compute_capabilities:
        if capability not in known:
            raise EngineError(
                f"{library.title} does not know the compute capability {capability}: expected "
                f"some of {', '.join(map(str, known))}"
            )
    flags = library.module.BuilderFlag.__members__
    lacking = {
        "version-compatible engines": options.version_compatible
        and (rtx or "VERSION_COMPATIBLE" not in flags),
        "hardware-compatible engines (name their compute capabilities instead)": rtx
        and options.hardware_compatible,
        "a timing cache (it tries no kernels)": rtx and options.timing_cache,
    }
    for what, lacks in lacking.items():
        if lacks:
            raise EngineError(f"{library.title} does not have {what}")


def _build(
    library: Library, bundle: Bundle, options: BuildOptions, monitor: Monitor, device: str
) -> tuple[bytes, EngineCard]:
    with library.messages.collect() as errors:
        builder = _make_builder(library, errors)
        network = read_network(library, builder, bundle.onnx, bundle.graph.names)
        batches = (1, options.optimal_batch, options.max_batch)
        profile = Profile(*((batch, *network.window) for batch in batches))
        config = _configure(library, builder, options, profile)
        if monitor.callbacks is not None:
            config.progress_monitor = monitor.callbacks
        memory = builder.build_serialized_network(network.definition, config)
        if memory is None:
            limit = options.workspace_mib
            raise EngineError(
                f"{bundle.onnx}: {library.title} could not build an engine"
                f"{f' in a workspace of {limit} MiB' if limit else ''}: {_why(errors)}"
            )
    if options.timing_cache:
        _save_timings(config, options.timing_cache)
    plan = bytes(memory)
    return plan, EngineCard(
        format=FORMAT,
        library=library.name,
        version=library.version,
        device=device,
        capabilities=options.compute_capabilities,
        precision=bundle.precision,
        onnx_sha256=bundle.sha256,
        inputs=network.inputs,
        outputs=network.outputs,
        profile=profile,
        size=len(plan),
        sha256=hashlib.sha256(plan).hexdigest(),
    )


def _why(errors: list[str]) -> str:
    return errors[0] if errors else "it gave no reason"


def _make_builder(library: Library, errors: list[str]) -> Handle:
    try:
        return library.module.Builder(library.messages.logger)
    except (TypeError, RuntimeError) as exc:  # pybind11 got no pointer
        raise EngineError(
            f"{library.title} does not start, perhaps for want of an NVIDIA GPU: {_why(errors)}"
        ) from exc


def _configure(
    library: Library, builder: Handle, options: BuildOptions, profile: Profile
) -> Handle:
    trt = library.module
    config = builder.create_builder_config()
    shapes = builder.create_optimization_profile()
    shapes.set_shape("fbank", profile.min, profile.opt, profile.max)
    config.add_optimization_profile(shapes)
    # TF32 keeps 10 of 23 bits: fp32 means fp32, and who wants speed exports fp16.
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    if options.builder_level is not None:
        config.builder_optimization_level = options.builder_level
    if options.compute_capabilities:
        config.num_compute_capabilities = len(options.compute_capabilities)
        for index, capability in enumerate(options.compute_capabilities):
            config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{capability}"), index)
    if options.timing_cache:
        _load_timings(library, config, options.timing_cache)
    return config


def _load_timings(library: Library, config: Handle, path: Path) -> None:
    """Use the times in the file, unless another GPU or version measured them."""
    try:
        known = path.read_bytes() if path.exists() else b""
    except OSError as exc:
        raise EngineError(f"{path}: cannot be read: {exc.strerror}") from exc
    with library.messages.collect() as errors:
        timings = config.create_timing_cache(known)
        taken = timings is not None and config.set_timing_cache(timings, ignore_mismatch=False)
    if errors or not taken:
        log.warning("%s: holds no times of this TensorRT and GPU; it is begun anew", path)
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def _save_timings(config: Handle, path: Path) -> None:
    """Write the times of all kernels tried so far; the engine is good without them."""
    try:
        write_files({path: bytes(config.get_timing_cache().serialize())})
    except OSError as exc:
        log.warning("%s: cannot be written: %s", path, exc.strerror or exc)
