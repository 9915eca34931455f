"""Column maps for tables of calls: those of the configuration, one in a file, and a proposal for a person."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from collector.columns import ColumnMap, Mapped
from tollbook.config import ConfigError, Configuration
from tollbook.rules import files
from tollbook.tables import ColumnsTable

_EVERY_FILE = ".*"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def of_config(config: Configuration) -> tuple[Mapped, ...]:
    """The maps of the declared sources."""
    return tuple(
        Mapped(files(source.path, config.base), column_map(source))
        for source in config.settings.source
        if source.columns
    )


def of_file(file: Path) -> Mapped:
    """A map for whatever is read. Raises ConfigError naming file, key and the nearest known one."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
        table = ColumnsTable.model_validate(given)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError("\n".join(f"{file}: {line}" for line in _mistakes(error))) from error
    if not table.columns:
        raise ConfigError(f'{file} maps no column: write at least [columns] with model = "…"')
    return Mapped(_EVERY_FILE, column_map(table))


def _mistakes(error: ValidationError) -> Iterator[str]:
    known = list(ColumnsTable.model_fields)
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            yield f"{key}: unknown key; {hint}"
        else:
            yield f"{key}: {mistake['msg'].removeprefix('Value error, ')}"


def column_map(table: ColumnsTable) -> ColumnMap:
    """What the collector reads a table with."""
    return ColumnMap(
        columns=dict(table.columns),
        constants=dict(table.constants),
        units=dict(table.units),
        time_format=table.time_format,
        time_zone=table.time_zone,
        input_includes_cached=table.input_includes_cached,
        output_includes_reasoning=table.output_includes_reasoning,
        call_id_prefix=table.call_id_prefix,
    )


def as_toml(path: str, columns: Mapping[str, str], unmapped: list[str]) -> str:
    """A [[source]] to paste, with the columns that were not recognised as a remark."""
    lines = ["[[source]]", f"path = {json.dumps(path)}", 'format = "table"']
    if "cache_read_tokens" in columns:
        lines.append("input_includes_cached = false  # true where the input count includes cached tokens")
    lines += ["[source.columns]", *(f"{key} = {json.dumps(column)}" for key, column in columns.items())]
    if unmapped:
        lines += ['# not recognised; a tag is written tags.NAME = "column":']
        lines += [f"# {_tag(name)} = {json.dumps(name)}" for name in unmapped]
    return "\n".join(lines)


def _tag(column: str) -> str:
    name = column.rpartition(".")[2]
    return f"tags.{name if _BARE.fullmatch(name) else json.dumps(name)}"
