"""The largest batch that fits."""

from __future__ import annotations

from collections.abc import Callable

#: A memory that is the same for one clip and for so many does not grow.
_ENDLESS = 2**40


def largest_batch(memory_of: Callable[[int], int], limit: int) -> int:
    """Find the largest batch size whose memory is within a limit.

    At every moment of a step memory is a constant plus a multiple of the batch size; the peak, the maximum over the
    moments, is therefore convex in it, and may be flat for small batches. A straight line through two known sizes leads
    to the next guess. The answer is a size that fits whose successor does not: both have been asked for, none is
    extrapolated.

    Args:
        memory_of: Function from batch size to bytes, which grows.
        limit: Available bytes, at least 0.

    Returns:
        Batch size, or 0 if no clip fits.

    Raises:
        ValueError: The memory does not grow, so that there is no largest batch.
    """
    fits, fits_bytes = 0, 0  # the largest size known to fit, and what it needs
    size, size_bytes = 1, memory_of(1)
    while size_bytes <= limit:
        if size_bytes <= fits_bytes:  # the peak is the optimiser's step, as long as the clips are few and small
            if size >= _ENDLESS:
                raise ValueError(f"memory must grow with the batch, got {size_bytes} bytes for any number of clips")
            size, fits = 2 * size, size
            size_bytes = memory_of(size)
            continue
        slope = (size_bytes - fits_bytes) / (size - fits)
        # The line through 0 and the first size is too steep: its answer still fits. The next lines are nearly right,
        # and one clip more than their answer does not fit.
        size, fits, fits_bytes = (
            max(size + int((limit - size_bytes) / slope) + min(fits, 1), size + 1),
            size,
            size_bytes,
        )
        size_bytes = memory_of(size)
    exceeds, exceeds_bytes = size, size_bytes
    while exceeds - fits > 1:
        # The line between the two lies above the convex peak, so the size it gives fits, or nearly so.
        step = int((limit - fits_bytes) / (exceeds_bytes - fits_bytes) * (exceeds - fits))
        size = fits + min(max(step, 1), exceeds - fits - 1)
        size_bytes = memory_of(size)
        if size_bytes <= limit:
            fits, fits_bytes = size, size_bytes
        else:
            exceeds, exceeds_bytes = size, size_bytes
    return fits
