"""tollbook's own log: structured lines on standard error, JSON where asked for."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, as_json: bool, quiet: bool) -> None:
    """Set up structlog once for this process; `quiet` keeps warnings and errors only."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def get() -> structlog.typing.FilteringBoundLogger:
    """The product's logger."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("tollbook")
    return logger
