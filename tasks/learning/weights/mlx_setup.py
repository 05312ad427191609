"""MLX on this machine: a fast BLAS under it on Linux, and no compiler at run time.

MLX's Linux wheel brings the reference BLAS; with OpenBLAS loaded first the same float32 products
are about fifteen times faster. MLX also calls g++ while it runs, unless told not to.
"""

import ctypes
import sys
from functools import cache
from types import ModuleType

from thirdshift.settings import calm_threads

LIBRARY = "libopenblas.so.0"
REMEDY = "apt install libopenblas0-pthread"


@cache
def prepare() -> ModuleType:
    """Return `mlx.core`, imported so that it is fast here. Call it before any import of MLX."""
    if "mlx.core" not in sys.modules:
        calm_threads()
        fast_blas()
    import mlx.core

    if not mlx.core.metal.is_available():
        mlx.core.disable_compile()
    return mlx.core


@cache
def fast_blas() -> bool:
    """Load OpenBLAS for all that comes later; False where it is missing. macOS needs none."""
    if sys.platform == "darwin":
        return True
    try:
        ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
