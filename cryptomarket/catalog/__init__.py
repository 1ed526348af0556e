"""Which instruments exist."""
