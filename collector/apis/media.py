"""The size of an image from the first bytes of its data, so that its tokens can be counted."""

from __future__ import annotations

import base64
import binascii
import struct

from collector.apis.json_shapes import integer
from ledger.types import Part, PartKind

# The JPEG frame header can sit behind a large EXIF block; 64 KiB reaches past any thumbnail we met.
_HEADER_CHARS = 87_384
_SHORT_CHARS = 64

Size = tuple[int | None, int | None]
UNKNOWN: Size = (None, None)


def image(source: object, detail: str | None = None) -> Part:
    """Make an IMAGE part of a data URL, bare base64, or a placeholder that carries the size."""
    width, height = image_size(source)
    return Part(PartKind.IMAGE, detail=detail, width=width, height=height)


def image_size(source: object) -> Size:
    """Return width and height in pixels; unknown for a remote URL or an unread format."""
    if isinstance(source, dict):
        return integer(source.get("width")), integer(source.get("height"))
    if not isinstance(source, str) or source.startswith(("http:", "https:", "gs:", "s3:", "file")):
        return UNKNOWN
    encoded = source.partition(",")[2] if source.startswith("data:") else source
    return _sized(_decoded(encoded[:_SHORT_CHARS]), encoded)


def _sized(head: bytes, encoded: str) -> Size:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return struct.unpack(">II", head[16:24])
    if head.startswith(b"GIF8") and len(head) >= 10:
        return struct.unpack("<HH", head[6:10])
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp(head)
    return _jpeg(_decoded(encoded[:_HEADER_CHARS])) if head.startswith(b"\xff\xd8") else UNKNOWN


def _decoded(encoded: str) -> bytes:
    whole = len(encoded) - len(encoded) % 4
    try:
        return base64.b64decode(encoded[:whole])
    except (binascii.Error, ValueError):
        return b""


def _webp(head: bytes) -> Size:
    chunk = head[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return (width & 0x3FFF, height & 0x3FFF) if chunk == b"VP8 " else UNKNOWN


def _jpeg(head: bytes) -> Size:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        # C4, C8 and CC share the range of the start-of-frame markers but hold tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return UNKNOWN
