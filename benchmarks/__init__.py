"""What the gateway costs and how late it is, measured beside its rivals on the machine at hand: `make bench`."""
