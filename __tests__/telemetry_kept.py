"""Logging as it was: what a test configures is undone at its end."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def kept_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    others = {
        logger: (list(logger.handlers), logger.level, logger.propagate)
        for logger in logging.root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    }
    shown = warnings.showwarning
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for logger in list(logging.root.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger):
                was = others.get(logger, ([], logging.NOTSET, True))
                logger.handlers[:], logger.propagate = was[0], was[2]
                logger.setLevel(was[1])
        logging.captureWarnings(capture=False)
        warnings.showwarning = shown
        structlog.reset_defaults()
