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
    _forward_scheduler()


class _Forward(logging.Handler):
    """Gives the scheduler's own complaints the shape of every other line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record, with its traceback where it has one."""
        get().error(record.getMessage(), exc_info=record.exc_info)


def _forward_scheduler() -> None:
    # Below ERROR it tells of skipped runs, which is how a job that takes longer than its interval looks.
    logger = logging.getLogger("apscheduler")
    logger.handlers = [_Forward(logging.ERROR)]
    logger.setLevel(logging.ERROR)
    logger.propagate = False


def get() -> structlog.typing.FilteringBoundLogger:
    """The product's logger."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("tollbook")
    return logger
