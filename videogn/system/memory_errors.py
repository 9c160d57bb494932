"""Errors of memory that has run out, by the words of those who raise them."""

from __future__ import annotations

import re

#: Words of torch, the CUDA driver, Python, the C library and its loader of libraries.
OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|MemoryError|DefaultCPUAllocator|cannot allocate memory|_ALLOC_FAILED|bad_alloc"
    r"|failed to map segment",
    re.IGNORECASE,
)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory has run out; CPU allocators have no type of their own for it."""
    known = isinstance(error, RuntimeError | MemoryError | ImportError)
    return known and OUT_OF_MEMORY.search(f"{type(error).__name__}: {error}") is not None
