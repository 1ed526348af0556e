"""The language of the gateway: pure values of the market. No I/O, no clock, no library but a codec."""
