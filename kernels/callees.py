"""Functions that only other functions call: compiled as far as that needs, and no further.

Numba makes machine code of every function that it compiles, with a wrapper by which Python can call it, and optimises
it together with all that it calls, which was optimised before. Of the hundred and fifty functions of a channel's kernel
Python calls one. The others stay as they come from Numba's front end until they are part of that one: linked once,
optimised once. That halves the time of a compilation; what is computed does not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder


class Callee(JITCodeLibrary):  # type: ignore[misc]
    """The code of one function, to be linked into that of its callers."""

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(codegen, name)
        self._whole: Any = None

    def _optimize_functions(self, ll_module: Any) -> None:
        """Leave it to the library that this becomes part of."""

    def finalize(self) -> None:
        """Take no more."""
        self._raise_if_finalized()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: there is no machine code."""
        return 0

    @property
    def codegen(self) -> Any:
        """What Numba asks to :meth:`set_env`."""
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Forget the environment, which is for raising exceptions: kernels raise none."""

    def _get_module_for_linking(self) -> Any:
        """Return the function with all that it calls, each once."""
        if self._whole is None:
            self._whole = self._alone().clone()
            for library in self._called():
                self._reload_init.update(library._reload_init)
                module = library._alone() if isinstance(library, Callee) else library._get_module_for_linking()
                self._whole.link_in(module, preserve=True)
        return self._whole

    def _alone(self) -> Any:
        return super()._get_module_for_linking()

    def _called(self) -> Iterator[Any]:
        seen = {self}
        pending = list(self._linking_libraries)
        while pending:
            library = pending.pop()
            if library not in seen:
                seen.add(library)
                pending += library._linking_libraries if isinstance(library, Callee) else []
                yield library


class CalleeCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's own pipeline, whose code goes into a :class:`Callee`."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes."""
        self.state.library = Callee(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]
