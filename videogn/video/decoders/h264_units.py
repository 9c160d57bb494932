"""The units (NAL units) in a packet of H.264, as far as their first bytes tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

_AFTER_START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)

_TYPE = 31
_IDR_SLICE = 5
#: First byte of a slice of a picture that no other picture is predicted from: nal_ref_idc 0, nal_unit_type 1.
_SLICE_OF_NON_REFERENCE = 1
#: First bytes of units beside such slices that concern their picture alone: SEI, delimiter, filler.
_BESIDE = frozenset({6, 9, 12})


def has_idr(data: bytes, extradata: bytes) -> bool:
    """Return whether a packet holds an IDR slice.

    Key frames without one are recovery points: with intra refresh, later pictures take a while to become exact.

    Args:
        data: Content of the packet.
        extradata: Codec configuration of the stream, which tells the framing.
    """
    return any(header & _TYPE == _IDR_SLICE for header in _headers(data, extradata))


def is_non_reference(data: bytes, extradata: bytes) -> bool:
    """Return whether a decoder that is not given a packet decodes all others as before.

    So it is if the packet consists of slices of a non-reference picture: no other is predicted from that, and neither
    frame numbers nor picture order counts go on with it (ITU-T H.264, 7.4.1 and 8.2.1).

    Args:
        data: Content of the packet.
        extradata: Codec configuration of the stream, which tells the framing.
    """
    headers = set(_headers(data, extradata))
    return _SLICE_OF_NON_REFERENCE in headers and headers <= _BESIDE | {_SLICE_OF_NON_REFERENCE}


def _headers(data: bytes, extradata: bytes) -> Iterator[int]:
    """The first byte of every unit; -1 at the end if the last one does not end with the packet."""
    if len(extradata) < 7 or extradata[0] != 1:
        yield from (found[1][0] for found in _AFTER_START_CODE.finditer(data))
        return
    length_bytes = (extradata[4] & 3) + 1
    position = 0
    while position + length_bytes < len(data):
        length = int.from_bytes(data[position : position + length_bytes], "big")
        yield data[position + length_bytes]
        position += length_bytes + length
    if position != len(data):
        yield -1
