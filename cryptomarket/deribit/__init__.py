"""The exchange: everything that knows Deribit's wire, and nothing of our storage or web."""
