"""From the bus to subscribers: streams, saved sets, and what a reader is owed when he is slow or comes back."""
