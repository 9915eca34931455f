"""`tollbook formats` says which logs are read, and what each of them can and cannot tell."""

from __future__ import annotations

from typing import Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk


@at_desk
def formats(
    desk: Desk,
    name: Annotated[str | None, typer.Argument(help="One format, to be told of in full.")] = None,
) -> None:
    """List the log formats, or say what holds for the records of one."""
    from collector.formats import FORMATS
    from tollbook import formats_screen

    if name is None:
        every = [formats_screen.fields(form) for form in FORMATS.values()]
        desk.say(formats_screen.listed(FORMATS), formats=every)
    elif name in FORMATS:
        desk.say(formats_screen.shown(FORMATS[name]), **formats_screen.fields(FORMATS[name]))
    else:
        raise UsageError(f"no format {name!r}{_nearest(name, list(FORMATS))}: `tollbook formats` lists them")


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f", did you mean {near[0]!r}" if near else ""
