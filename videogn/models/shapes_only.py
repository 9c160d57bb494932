"""Networks whose tensors have shapes and no numbers: the meta device, without the compiler that it would load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _NothingDrawn(TorchFunctionMode):
    """Leaves out initial values from a normal distribution: PyTorch imports torch._dynamo to draw them on meta."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, Tensor.normal_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Within it, new tensors take no memory: networks are built for the names and shapes of their tensors.

    Example:
        >>> with shapes_only():
        ...     layer = nn.Embedding(1_000_000_000, 64)
        >>> layer.weight.shape, layer.weight.is_meta
        (torch.Size([1000000000, 64]), True)
    """
    with torch.device("meta"), _NothingDrawn():
        yield
