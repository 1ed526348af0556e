"""What a process does: everything, or serve readers, or hear the exchange, or store."""
