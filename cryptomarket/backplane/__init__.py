"""What processes share: bus, demand, leases, limits, cache and mailroom, each behind a small protocol.

One URL chooses the form. In-process memory is the embedded deployment, not a mock of another one.
"""
