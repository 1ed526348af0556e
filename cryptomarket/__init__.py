"""A streaming gateway between the Deribit exchange and everyone who wants its prices."""

__version__ = "0.1.0"
