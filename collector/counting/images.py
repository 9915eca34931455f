"""How many tokens an image costs, by model and size; the prices are rows of openai_images.csv.

What a price rests on stands in openai_forms.csv, as the form `image DETAIL of PATTERN`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from math import ceil
from typing import Final

from ledger.types import Part


class Kind(StrEnum):
    """What an image is cut into: tiles of 512 pixels, or patches of 32."""

    TILES = "tiles"
    PATCHES = "patches"


@dataclass(frozen=True, slots=True)
class Price:
    """Tokens of an image for model names that match, on the days from `since` until the day before `until`.

    Tiles are counted after fitting into 2048 pixels and 768 on the short side; of patches there are at most
    1536. Each costs `each`, the image `base` besides.
    """

    model: str
    since: date | None
    until: date | None
    kind: Kind
    base: int
    each: float

    def holds(self, model: str, day: date | None) -> bool:
        """Whether it is the price of a bare model name; one without a known day is taken to be of today."""
        after = self.since is None or day is None or self.since <= day
        before = self.until is None or (day is not None and day < self.until)
        return after and before and fnmatchcase(model, self.model)


def _price(line: Mapping[str, str]) -> Price:
    since, until = (date.fromisoformat(line[end]) if line[end] else None for end in ("since", "until"))
    return Price(line["model"], since, until, Kind(line["kind"]), int(line["base"]), float(line["each"]))


_TABLE: Final = (files("collector.counting") / "openai_images.csv").read_text("utf-8")
PRICES: Final = tuple(map(_price, csv.DictReader(_TABLE.splitlines())))
_MOST_PATCHES: Final = 1536


@lru_cache(maxsize=4096)
def price_of(model: str, day: date | None) -> Price | None:
    """The first price that holds; None for a model whose images cannot be counted."""
    return next((price for price in PRICES if price.holds(model, day)), None)


def _tiles(price: Price, width: int, height: int) -> int:
    fit = min(1.0, 2048 / max(width, height))
    wide, high = width * fit, height * fit
    shrink = min(1.0, 768 / min(wide, high))
    return price.base + int(price.each) * ceil(wide * shrink / 512) * ceil(high * shrink / 512)


def _patches(price: Price, width: int, height: int) -> int:
    patches = min(ceil(width / 32) * ceil(height / 32), _MOST_PATCHES)
    # The bill rounds up the product as binary floating point gives it: 300 patches at 1.62 are 487.
    return ceil(patches * price.each) + price.base


def image_form(model: str, day: date | None, image: Part) -> str:
    """Name the price and the detail that an image is counted by."""
    price = price_of(model, day)
    return f"image {image.detail or 'auto'} of {'unknown' if price is None else price.model}"


def image_tokens(model: str, day: date | None, image: Part) -> int | None:
    """Count an image for a bare model name; None where its size or the model's price is not known."""
    price = price_of(model, day)
    if price is None:
        return None
    if price.kind is Kind.TILES and image.detail == "low":
        return price.base
    if not image.width or not image.height:
        return None
    count = _tiles if price.kind is Kind.TILES else _patches
    return count(price, image.width, image.height)
