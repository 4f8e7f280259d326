"""From the functions of a channel to machine code for a GPU; the only module that knows ``numba.cuda``.

Around the four functions that :mod:`.launch` describes, a driver module holds the CUDA kernels

* ``select``: a thread an event; those that pass gate and preselection go to a list, the gate's sums to their counters;
* ``process``: a thread an (event of the list, variation), each running the body. Cutflows are summed in the shared
  memory of each block (:mod:`.block`), bins of histograms by 64-bit atomics in global memory;
* ``process_shared``: the same with the bins in shared memory too, where they fit.

Neither the order of the list nor that of the additions matters: all sums are integers, and the selected events are
sorted when they come back.

No GPU and no driver is needed to compile. What is loaded has been through the gate: PTX with an instruction that could
change a bit is refused.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from numba import types

from . import launch
from .language import BINS, TALLY, without_literals
from .launch import Loop, Program

_log = logging.getLogger(__name__)

COMPUTE_CAPABILITY = (9, 0)
"""The architecture that the PTX gate compiles for by default: H100."""

FORBIDDEN_PTX = re.compile(
    r"\b(?:fma\.r[nzmp][\w.]*|mad\.r[nzmp]\.f\d\d|(?:add|sub|mul)\.(?:ftz\.)?f(?:32|64)|[\w.]+\.approx[\w.]*"
    r"|div\.full[\w.]*|[\w.]+\.ftz[\w.]*|atom[\w.]*\.add\.f(?:32|64)|red[\w.]*\.add\.f(?:32|64))"
)
"""Instructions that break bit identity: fused or unrounded arithmetic, approximations, flushing, float atomics."""

THREADS = 256
"""Of a block."""

_STAGED = 1024
"""Events that a block keeps before it puts them on the list; the counter of the list is asked for once for all."""

_DRIVER = (
    launch.HEAD
    + """

from gpuhiggs.kernels.block import add_carried, carried, clear
from gpuhiggs.kernels.language import fetch_add, record_shared, shared_words


def select(first, last, gates, selected, inputs, cuts, tables, out):
    staged = cuda.shared.array({staged}, np.int64)
    place = cuda.shared.array(1, np.int64)
    n_staged = cuda.shared.array(1, np.int32)
    words = shared_words()
    gates = column(gates, np.int64)
    selected = column(selected, np.int64)
    inputs, cuts = record(inputs, Inputs), record(cuts, Cuts)
    tables, out = record(tables, Tables), record(out, Out)
    passed, units = local_int({n_sums}), local_int({n_rows})
    for i in range({n_sums}):
        passed[i] = 0
    for i in range({n_rows}):
        units[i] = 0
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    if thread == 0:
        n_staged[0] = 0
    if thread < {n_sums}:
        clear(words, thread)
    cuda.syncthreads()
    n = 0
    tile = first + cuda.blockIdx.x * threads
    while n > 0 or tile < last:
        chosen = 0
        event = tile + thread
        if event < last and admit(event, inputs, cuts, tables, out, passed, units):
            chosen = 1
            staged[cuda.atomic.add(n_staged, 0, 1)] = event
        n += cuda.syncthreads_count(chosen)
        tile += cuda.gridDim.x * threads
        if n > {staged} - threads or tile >= last:
            if thread == 0:
                place[0] = fetch_add(selected, 0, n)
                n_staged[0] = 0
            cuda.syncthreads()
            for i in range(thread, n, threads):
                selected[1 + place[0] + i] = staged[i]
            cuda.syncthreads()
            n = 0
    for i in range({n_rows}):
        settle(passed, units, i)
    for i in range({n_sums}):
        value = passed[i]
        for step in range(5):
            value += cuda.shfl_down_sync(0xFFFFFFFF, value, 16 >> step)
        if thread % 32 == 0 and value != 0:
            add_carried(words, i, value)
    cuda.syncthreads()
    if thread < {n_sums}:
        value = carried(words, thread)
        if value != 0:
            add(gates, thread, value)
"""
)

_PROCESS = """

def {name}(shifts, selected, cells, sums, inputs, cuts, tables, out):
    words = shared_words()
    selected = column(selected, np.int64)
    sums = column(sums, np.int64)
    inputs, cuts = record(inputs, Inputs), record(cuts, Cuts)
    tables, out = record(tables, Tables), record_shared(out, Out, {level})
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    for cell in range(thread, cells, threads):
        clear(words, cell)
    cuda.syncthreads()
    n = selected[0] * shifts
    place = cuda.grid(1)
    while place < n:
        body(selected[1 + place // shifts], place % shifts, inputs, cuts, tables, out)
        place += cuda.gridsize(1)
    cuda.syncthreads()
    for cell in range(thread, cells, threads):
        value = carried(words, cell)
        if value != 0:
            add(sums, cell, value)
"""

_LOOP = '''"""Made by gpuhiggs.kernels.launch_cuda for {module}: do not edit."""

import {module} as bodies


def process(last, {others}):
    place = cuda.grid(1)
    rows = cuda.gridsize(1)
    while place < last:
        bodies.{function}(place, place + 1, place % rows, {others})
        place += rows
'''

SELECT, PROCESS, PROCESS_SHARED = "select", "process", "process_shared"
LEVELS = {PROCESS: TALLY, PROCESS_SHARED: BINS}
"""Which sums a kernel keeps in shared memory: those of roles from TALLY to this one."""


def driver_source(program: Program | Loop) -> str:
    """Return the text of the CUDA driver module of a program."""
    if isinstance(program, Loop):
        return _LOOP.format(module=program.module, function=program.function, others=", ".join(program.arguments))
    processes = "".join(_PROCESS.format(name=name, level=level) for name, level in LEVELS.items())
    return launch.filled(_DRIVER.replace("{staged}", str(_STAGED)), program, "launch_cuda") + processes


@functools.cache
def driver(program: Program | Loop) -> ModuleType:
    """Import the CUDA driver module of a program, writing it first where it is new."""
    from numba import cuda

    module = launch.imported(f"{launch.driver_name(program)}_cuda", _tag(program), driver_source(program))
    module.cuda = cuda  # type: ignore[attr-defined]
    return module


@functools.cache
def _tag(program: Program | Loop) -> str:
    return launch.text_hash(driver_source(program), __name__, "numba-cuda")


@contextlib.contextmanager
def _strict_floats() -> Iterator[None]:
    """Round every operation by itself in what is compiled for CUDA meanwhile.

    numba-cuda contracts a·b + c to a fused multiply-add and has no switch against it; the option is set where all of
    its compilations pass, and taken back: other CUDA code of the process is not ours to change.
    """
    from numba.cuda.cudadrv import nvvm
    from numba.cuda.dispatcher import CUDADispatcher

    compile_ir, get_call_template = nvvm.compile_ir, CUDADispatcher.get_call_template

    def rounded(ir: Any, **options: Any) -> Any:
        if options.pop("fastmath", False):
            msg = "fastmath is not allowed: it breaks bit identity"
            raise ValueError(msg)
        return compile_ir(ir, fma=False, ftz=False, prec_div=True, prec_sqrt=True, **options)

    nvvm.compile_ir = rounded
    CUDADispatcher.get_call_template = without_literals(get_call_template)
    try:
        yield
    finally:
        nvvm.compile_ir = compile_ir
        CUDADispatcher.get_call_template = get_call_template


_NUMBERS = {
    SELECT: [types.int64] * 2 + [types.uint64] * 6,
    PROCESS: [types.int64, types.uint64, types.int64] + [types.uint64] * 5,
}


def device_functions(program: Program, names: Sequence[str] = (SELECT, PROCESS)) -> dict[str, tuple[Any, Any]]:
    """Return the functions of a program's CUDA kernels with their signatures."""
    module = driver(program)
    return {
        name: (getattr(module, name), types.void(*_NUMBERS[SELECT if name == SELECT else PROCESS])) for name in names
    }


def ptx(function: Any, argument_types: Any, compute_capability: tuple[int, int] = COMPUTE_CAPABILITY) -> str:
    """Compile a CUDA kernel to PTX; no GPU and no driver is needed."""
    from numba import cuda
    from numba.cuda import dispatcher

    # Compiling a kernel that calls others asks the driver for its device: answer for it.
    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: type("Device", (), {"compute_capability": compute_capability})
    try:
        with _strict_floats():
            text, _ = cuda.compile(function, argument_types, device=False, abi="numba", cc=compute_capability)
    finally:
        dispatcher.get_current_device = asked
    return str(text)


def loop_ptx(loop: Loop, arguments: Sequence[Any], compute_capability: tuple[int, int] = COMPUTE_CAPABILITY) -> str:
    """Compile the CUDA build of a loop, one thread an item, for arguments of the types of *arguments*."""
    from numba import typeof

    signature = types.void(types.int64, *[typeof(argument) for argument in arguments])
    return ptx(driver(loop).process, signature, compute_capability)


def forbidden(text: str) -> list[str]:
    """Return the instructions in a PTX text that would break bit identity."""
    return sorted(set(FORBIDDEN_PTX.findall(text)))


# --- what is loaded ------------------------------------------------------------------------------------------------


class Binary(NamedTuple):
    """A kernel as a GPU takes it."""

    entry: str
    """Its name in the code."""
    code: bytes
    """A cubin; PTX, for the driver to compile, where there is no linker."""
    ptx: str
    """What it was made of."""


def binary(
    program: Program | Loop,
    name: str,
    arguments: Sequence[Any] = (),
    compute_capability: tuple[int, int] = COMPUTE_CAPABILITY,
    max_registers: int | None = None,
) -> Binary:
    """Return a kernel compiled for an architecture, from the cache of compiled kernels where it is there.

    Parameters
    ----------
    name
        SELECT, PROCESS or PROCESS_SHARED; of a loop ``process``.
    arguments
        Of a loop, values of the types that it takes.
    max_registers
        Of a thread; the compiler's own choice if not given.

    Raises
    ------
    ValueError
        If the code has an instruction that would break bit identity.
    """
    folder = launch.cache_folder() / f"{launch.driver_name(program)}_cuda-{_tag(program)}"
    stem = f"{name}-sm_{compute_capability[0]}{compute_capability[1]}"
    text_path, code_path = folder / f"{stem}.ptx", folder / f"{stem}-{max_registers or 'any'}.cubin"
    if not text_path.exists():
        _log.info("compiling %s of %s for a GPU", name, program.module)
        text = (
            loop_ptx(program, arguments, compute_capability)
            if isinstance(program, Loop)
            else ptx(*device_functions(program, (name,))[name], compute_capability)
        )
        launch.write_once(text_path, text.encode())
    text = text_path.read_text()
    if found := forbidden(text):
        msg = f"{text_path}: instructions that break bit identity: {', '.join(found)}"
        raise ValueError(msg)
    return Binary(_entry(text), _code(text, code_path, compute_capability, max_registers), text)


def _entry(text: str) -> str:
    found = re.search(r"\.entry\s+([\w$]+)", text)
    if found is None:
        msg = "PTX without an entry"
        raise ValueError(msg)
    return found[1]


def _code(text: str, path: Path, compute_capability: tuple[int, int], max_registers: int | None) -> bytes:
    if not path.exists():
        linked, why = link(text, compute_capability, max_registers)
        if linked is None:
            _log.warning("PTX is left to the driver to compile, each time it is loaded: %s", why)
            return text.encode()
        launch.write_once(path, linked)
    return path.read_bytes()


def compiler_problem() -> str | None:
    """Return why nothing can be compiled for a GPU; None if it can."""
    try:
        from numba.cuda.cudadrv import nvvm

        nvvm.NVVM()
    except Exception as error:  # a package or its library that is not there, in whatever way
        return f"numba-cuda cannot compile: {type(error).__name__}: {error}"
    return None


def link(
    text: str, compute_capability: tuple[int, int] = COMPUTE_CAPABILITY, max_registers: int | None = None
) -> tuple[bytes | None, str]:
    """Assemble PTX to a cubin; return it, or None, and what the assembler says: registers and stack, or why not."""
    try:
        from cuda.bindings import nvjitlink
        from cuda.core import Linker, LinkerOptions, ObjectCode

        nvjitlink.version()
        architecture = f"sm_{compute_capability[0]}{compute_capability[1]}"
        options = LinkerOptions(arch=architecture, max_register_count=max_registers, ptxas_options=["-v"])
        linker = Linker(ObjectCode.from_ptx(text.encode()), options=options)
        return bytes(linker.link("cubin").code), linker.get_info_log()
    except Exception as error:  # a package or its library that is not there, or another one, in whatever way
        return None, f"{type(error).__name__}: {error}"
