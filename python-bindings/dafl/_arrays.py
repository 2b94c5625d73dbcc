"""NumPy arrays as the library takes them: float32 or int64, row by row."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._c_types import Floats, Labels

FloatArray = npt.NDArray[np.float32]


class TensorArray(np.ndarray):
    """An array that PyTorch's functions take for a tensor, as `load_state_dict` must to copy it into a module."""

    @classmethod
    def __torch_function__(cls, function: Callable[..., Any], types: Sequence[type], arguments: Sequence[Any] = (),
                           keywords: Mapping[str, Any] | None = None) -> Any:
        import torch

        def tensor(value: Any) -> Any:
            return torch.from_numpy(value.view(np.ndarray)) if isinstance(value, cls) else value

        return function(*map(tensor, arguments), **{name: tensor(value) for name, value in (keywords or {}).items()})


def array(values: Any) -> np.ndarray:
    """An array of anything array-like, PyTorch tensors that require gradients included."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # NumPy has no such numbers
            values = values.float()
    return np.asarray(values)


def is_false(answer: Any) -> bool:
    """Whether a callback answered False, Python's or NumPy's; None is no answer."""
    return isinstance(answer, bool | np.bool_) and not answer


def rows(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    """`values` as contiguous float32 [count, *shape]; else ValueError.

    Flat rows [count, product of shape] will do, and images of any shape where a flat vector [d, 1, 1] is wanted.
    """
    given = array(values)
    is_flat = given.ndim == 2 or shape[1:] in ((), (1, 1))
    if given.ndim < 2 or given.shape[1:] != shape and not (is_flat and math.prod(given.shape[1:]) == math.prod(shape)):
        raise ValueError(f"{name} must be [count, {', '.join(map(str, shape))}], not {list(given.shape)}")
    return np.ascontiguousarray(given, dtype=np.float32).reshape(len(given), *shape)


def labels(values: Any, count: int) -> npt.NDArray[np.int64]:
    """`values` as contiguous int64 [count]. ValueError for another shape, TypeError for numbers that are not whole."""
    given = array(values)
    if given.shape != (count,):
        raise ValueError(f"labels must be [{count}], not {list(given.shape)}")
    return np.ascontiguousarray(given.astype(np.int64, casting="safe"))


def unlocked(values: FloatArray) -> FloatArray:
    """The same memory without NumPy's lock, for packages that only take arrays which they may write to.

    Valid as long as `values` is.
    """
    return np.ctypeslib.as_array(floats(np.ascontiguousarray(values)), values.shape)


def floats(values: FloatArray) -> Any:
    return values.ctypes.data_as(Floats)


def integers(values: npt.NDArray[np.int64]) -> Any:
    return values.ctypes.data_as(Labels)
