"""The commands of who reads a gateway: tail, history, export, candles, status, login. Made of the client alone."""
