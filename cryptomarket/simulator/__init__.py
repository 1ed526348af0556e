"""A Deribit that obeys us: same wire, seeded or recorded prices, scripted trouble."""
