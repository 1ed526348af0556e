"""From the exchange to the bus: which slots this process owns, what they hold, and what was heard or missed."""
