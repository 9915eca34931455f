"""The attribution rules that the configuration describes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from collector.attribution import DEFAULT_RULES, REST, Rules, SourceRules, with_rest
from collector.attribution_rules import AnyRule, Rule, Table
from tollbook.config import Configuration
from tollbook.mapping import Lookup, lookup_of
from tollbook.tables import Dimension, RuleList, RuleTable, SourceTable

_MAGIC = re.compile(r"[*?\[]")
# One piece of a glob, in the words of an expression.
_GLOB = re.compile(r"(?P<any>\*+)|(?P<one>\?)|\[(?P<no>!?)(?P<of>[^\]]+)\]|(?P<plain>[^*?\[]+|\[)")


def rules(config: Configuration) -> Rules:
    """Attribution: a dimension without rules of its own keeps the documented defaults."""
    own, tables = config.settings.attribution, config.mappings
    return Rules(
        tenant=with_rest(_rules(own.tenant, tables), DEFAULT_RULES.tenant),
        workflow=with_rest(_rules(own.workflow, tables), DEFAULT_RULES.workflow),
        environment=with_rest(_rules(own.environment, tables), DEFAULT_RULES.environment),
        end_user=with_rest(_rules(own.end_user, tables), DEFAULT_RULES.end_user),
        defaults=_named(own.defaults),
        tiers=tuple((name, tuple(patterns)) for name, patterns in config.settings.tiers.items()),
        tags={name: _rules(of_tag, tables) for name, of_tag in own.tags.items()},
        sources=tuple(_of_sources(config)),
    )


def _named(defaults: Mapping[Dimension, str]) -> dict[str, str]:
    return {str(name): value for name, value in defaults.items()}


def _rules(given: RuleList, tables: Mapping[Lookup, Table]) -> tuple[AnyRule, ...]:
    return tuple(_rule(table, tables) for table in given)


def _rule(table: RuleTable, tables: Mapping[Lookup, Table]) -> AnyRule:
    """A rule that is a path and no more is a text, which is read the fastest."""
    lookup = lookup_of(table)
    rule = Rule(
        path=table.origin,
        pattern=table.match,
        table=None if lookup is None else tables[lookup],
        constant=table.constant,
        lower=table.lower,
        otherwise=table.otherwise,
    )
    return table.origin if table.origin is not None and rule == Rule(table.origin) else rule


def _of_sources(config: Configuration) -> Iterator[SourceRules]:
    """Those of every source: the first that a file is of decides, also where it says nothing."""
    if any(source.attribution.model_fields_set for source in config.settings.source):
        for source in config.settings.source:
            own = dict(_own(source, config.mappings))
            yield SourceRules(files(source.path, config.base), own, _named(source.attribution.defaults))


def _own(source: SourceTable, tables: Mapping[Lookup, Table]) -> Iterator[tuple[str, tuple[AnyRule, ...]]]:
    own = source.attribution
    lists = {
        "tenant": own.tenant,
        "workflow": own.workflow,
        "environment": own.environment,
        "end_user": own.end_user,
    }
    for name, given in lists.items():
        found = _rules(given, tables)
        if found != (REST,):
            yield name, found


def files(pattern: str, base: Path) -> str:
    """The expression that the whole path of every file of a source matches, as the ledger knows files."""
    if "://" in pattern:
        return _expression(pattern) + "(/.*)?"
    place = base / Path(pattern).expanduser()
    fixed = list(takewhile(lambda part: not _MAGIC.search(part), place.parts))
    rest = place.parts[len(fixed) :]
    # Files are known by where they lie, whatever links lead there.
    start = re.escape(Path(*fixed).resolve().as_posix().rstrip("/"))
    return start + "".join(_folders(rest)) if rest else start + "(/.*)?"


def _folders(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        yield "(/[^/]+)*" if part == "**" else "/" + _expression(part)


def _expression(glob: str) -> str:
    return "".join(map(_piece, _GLOB.finditer(glob)))


def _piece(found: re.Match[str]) -> str:
    if found["any"]:
        return "[^/]*"
    if found["one"]:
        return "[^/]"
    if found["of"]:
        kept = found["of"].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
        return f"[{'^' if found['no'] else ''}{kept}]"
    return re.escape(found["plain"])
