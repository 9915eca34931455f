"""How many tokens an image costs, by model and size."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil

from ledger.types import Part


@dataclass(frozen=True, slots=True)
class Tiles:
    """Priced by 512-pixel tiles after fitting into 2048 and 768 on the short side."""

    base: int
    tile: int


@dataclass(frozen=True, slots=True)
class Patches:
    """Priced by 32-pixel patches, at most 1536, times a factor."""

    factor: float


# First match wins. Found on recorded calls of 2024-05 to 2026-07; a model that is not here is not countable.
_PRICES: tuple[tuple[str, Tiles | Patches], ...] = (
    ("gpt-4o-mini*", Tiles(2833, 5667)),
    ("gpt-4.1-mini*", Patches(1.62)),
    ("gpt-4.1-nano*", Patches(2.46)),
    ("gpt-4o*", Tiles(85, 170)),
    ("chatgpt-4o*", Tiles(85, 170)),
    ("gpt-4.1*", Tiles(85, 170)),
    ("gpt-4.5*", Tiles(85, 170)),
    ("gpt-4-*", Tiles(85, 170)),
    ("o4-mini*", Patches(1.72)),
    ("o1*", Tiles(75, 150)),
    ("o3*", Tiles(75, 150)),
    ("gpt-5-mini*", Patches(1.20)),
    ("gpt-5-nano*", Patches(1.50)),
    ("gpt-5.[4-9]*", Patches(1.20)),
    ("gpt-5*", Tiles(70, 140)),
)
_MOST_PATCHES = 1536


def _tiles(price: Tiles, width: int, height: int) -> int:
    fit = min(1.0, 2048 / max(width, height))
    wide, high = width * fit, height * fit
    shrink = min(1.0, 768 / min(wide, high))
    return price.base + price.tile * ceil(wide * shrink / 512) * ceil(high * shrink / 512)


def _patches(price: Patches, width: int, height: int) -> int:
    patches = min(ceil(width / 32) * ceil(height / 32), _MOST_PATCHES)
    # The bill rounds up the product as binary floating point gives it: 300 patches at 1.62 are 487.
    return ceil(patches * price.factor) + 1


def image_form(model: str, image: Part) -> str:
    """Name the price and the detail that an image is counted by."""
    priced = next((pattern for pattern, _ in _PRICES if fnmatchcase(model, pattern)), "unknown")
    return f"image {image.detail or 'auto'} of {priced}"


def image_tokens(model: str, image: Part) -> int | None:
    """Count an image for a bare model name; None where its size or the model's price is not known."""
    price = next((price for pattern, price in _PRICES if fnmatchcase(model, pattern)), None)
    if isinstance(price, Tiles) and image.detail == "low":
        return price.base
    if price is None or not image.width or not image.height:
        return None
    if isinstance(price, Tiles):
        return _tiles(price, image.width, image.height)
    return _patches(price, image.width, image.height)
