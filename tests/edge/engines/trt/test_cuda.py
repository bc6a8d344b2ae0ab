"""CUDA: refused in a line where it cannot be used; with a GPU, both libraries by the same tests."""

import ctypes
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from unittest.mock import patch

import numpy as np
import pytest
from rigs.gpu import hardware as gpu

from ast_edge.base.errors import EngineError, EngineUnavailable
from ast_edge.engines.trt import cuda_choice
from ast_edge.engines.trt.cuda import Buffer
from ast_edge.engines.trt.cuda_choice import LIBRARIES, open_cuda

MODULES = {"pycuda": "pycuda", "cuda-bindings": "cuda.bindings"}


def has_driver():
    try:
        ctypes.CDLL(cuda_choice.DRIVER)
    except OSError:
        return False
    return True


without_driver = pytest.mark.skipif(has_driver(), reason="an NVIDIA driver is installed")


def installed(name):
    try:
        return find_spec(MODULES[name]) is not None
    except ModuleNotFoundError:  # the package around it
        return False


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Install a driver whose cuInit returns a code."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")

    def install(code):
        path = tmp_path / "libcuda.so.1"
        source = f"int cuInit(unsigned flags) {{ return {code}; }}"
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        subprocess.run(command, input=source.encode(), check=True)
        monkeypatch.setattr(cuda_choice, "DRIVER", str(path))

    return install


@pytest.fixture
def working_driver(monkeypatch):
    monkeypatch.setattr(cuda_choice, "_check_driver", lambda: None)


@without_driver
def test_without_a_driver_cuda_is_unavailable():
    with pytest.raises(
        EngineUnavailable, match=r"no NVIDIA driver is installed \(libcuda"
    ) as caught:
        open_cuda()
    assert "\n" not in str(caught.value)


@without_driver
def test_without_a_driver_no_library_is_imported():
    program = (
        "import sys\n"
        "from ast_edge.base.errors import EngineError\n"
        "from ast_edge.engines.trt.cuda_choice import open_cuda\n"
        "try:\n"
        "    open_cuda()\n"
        "except EngineError:\n"
        "    print(sorted({'pycuda', 'cuda', 'tensorrt', 'tensorrt_rtx'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_a_driver_without_a_gpu_is_no_use(driver):
    driver(100)
    with pytest.raises(EngineUnavailable, match="the NVIDIA driver sees no GPU"):
        open_cuda()


def test_a_driver_that_does_not_start_is_an_error_to_be_told(driver):
    driver(803)  # the versions of its parts differ, as after an update
    with pytest.raises(EngineError, match=r"cuInit returned 803.*nvidia-smi") as caught:
        open_cuda()
    assert not isinstance(caught.value, EngineUnavailable)


def test_without_a_library_the_error_says_what_to_install(working_driver, monkeypatch):
    for module in ("pycuda", "pycuda.driver", "cuda", "cuda.bindings", "cuda.bindings.runtime"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError) as caught:
        open_cuda()
    assert str(caught.value) == (
        "CUDA cannot be used: pycuda is not installed (pip install pycuda); "
        "cuda-bindings is not installed (pip install cuda-bindings)"
    )


def test_pycuda_comes_first(working_driver, monkeypatch):
    for name in LIBRARIES:
        monkeypatch.setitem(LIBRARIES, name, lambda name=name: name)
    assert open_cuda() == "pycuda"


def test_a_pycuda_that_cannot_be_imported_is_passed_over(working_driver, monkeypatch, tmp_path):
    package = tmp_path / "pycuda"
    package.mkdir()
    (package / "__init__.py").write_text("")
    # This is how it breaks when the CUDA that it was built with is gone.
    (package / "driver.py").write_text(
        "import warnings\n"
        "warnings.warn('Failed to import the CUDA driver interface')\n"
        "raise ImportError('libcurand.so.10: cannot open shared object file')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(LIBRARIES, "cuda-bindings", lambda: "cuda-bindings")
    with patch.dict(sys.modules):
        for module in [name for name in sys.modules if name.split(".")[0] == "pycuda"]:
            del sys.modules[module]
        assert open_cuda() == "cuda-bindings"


@without_driver
@pytest.mark.skipif(not installed("cuda-bindings"), reason="cuda-bindings is not installed")
def test_cuda_bindings_names_the_driver_that_it_needs(working_driver, monkeypatch):
    monkeypatch.delitem(LIBRARIES, "pycuda")
    with pytest.raises(EngineError, match=r"cuda-bindings .* needs a driver for CUDA 1\d"):
        open_cuda()


# With a GPU.


@pytest.fixture(params=list(LIBRARIES))
def library(request, monkeypatch):
    """Name of the only library to use."""
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    if reason := gpu.missing():
        pytest.skip(reason)
    for other in LIBRARIES.keys() - {request.param}:
        monkeypatch.delitem(LIBRARIES, other)
    return request.param


@pytest.fixture
def real(library):
    opened = open_cuda()
    with opened.current():
        yield opened
    opened.close()


def numbers(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.gpu
def test_the_gpu_has_a_name_and_a_compute_capability(real):
    assert real.device.name.isprintable()
    assert real.device.name
    assert real.device.compute_capability >= (5, 0)


@pytest.mark.gpu
def test_numbers_return_from_the_gpu_as_they_were(real):
    sent, received = real.pinned((4, 3)), real.pinned((4, 3))
    address = real.allocate(sent.nbytes)
    sent[:] = numbers(4, 3)
    received[:] = 0
    real.upload(address, sent)
    real.download(received, address)
    real.synchronize()
    assert np.array_equal(received, numbers(4, 3))


@pytest.mark.gpu
def test_a_part_is_copied_alone(real):
    buffer = Buffer(real, (4, 3))
    buffer.host[:] = numbers(4, 3)
    buffer.upload(2)
    real.synchronize()
    buffer.host[:] = 7
    buffer.download(2)
    real.synchronize()
    if not real.device.integrated:
        assert np.array_equal(buffer.host[:2], numbers(4, 3)[:2])
    assert (buffer.host[2:] == 7).all()


@pytest.mark.gpu
def test_pinned_memory_has_an_address_on_the_gpu(real):
    assert real.mapped(real.pinned((2, 2))) > 0


@pytest.mark.gpu
def test_a_graph_repeats_what_was_captured_with_what_is_in_memory_then(real):
    sent, received = real.pinned((4, 3)), real.pinned((4, 3))
    address = real.allocate(sent.nbytes)

    def enqueue():
        real.upload(address, sent)
        real.download(received, address)

    launch = real.capture(enqueue)
    if launch is None:
        pytest.skip(f"{real.library} has no graphs")
    received[:] = 0
    real.synchronize()
    assert not received.any(), "capturing must not run"
    for factor in (1, 2):
        sent[:] = factor * numbers(4, 3)
        launch()
        real.synchronize()
        assert np.array_equal(received, factor * numbers(4, 3))


@pytest.mark.gpu
def test_after_a_capture_that_failed_the_stream_can_be_used(real):
    sent, received = real.pinned((2, 2)), real.pinned((2, 2))
    address = real.allocate(sent.nbytes)

    def fail():
        real.synchronize()  # not allowed in a capture
        raise EngineError("was allowed")

    try:
        real.capture(fail)
    except EngineError:
        sent[:], received[:] = 3, 0
        real.upload(address, sent)
        real.download(received, address)
        real.synchronize()
        assert (received == 3).all()
    else:
        pytest.skip(f"{real.library} has no graphs")


@pytest.mark.gpu
def test_more_memory_than_there_is_is_an_error(library):
    opened = open_cuda()

    def allocate():
        with opened.current():
            opened.allocate(1 << 50)

    with pytest.raises(EngineError, match=r"CUDA: .*memory"):
        allocate()
    opened.close()


@pytest.mark.gpu
def test_every_thread_can_use_the_gpu(library):
    opened = open_cuda()
    results = []

    def work():
        with opened.current():
            sent, received = opened.pinned((2, 2)), opened.pinned((2, 2))
            address = opened.allocate(sent.nbytes)
            sent[:], received[:] = 5, 0
            opened.upload(address, sent)
            opened.download(received, address)
            opened.synchronize()
            results.append(received.copy())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:  # one after another, as engines do
        thread.start()
        thread.join(60)
    opened.close()
    assert [(result == 5).all() for result in results] == [True, True]


@pytest.mark.gpu
def test_cuda_can_be_opened_again(library):
    for _ in range(3):
        opened = open_cuda()
        with opened.current():
            Buffer(opened, (4, 3))
        opened.close()
