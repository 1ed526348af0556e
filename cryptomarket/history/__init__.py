"""From the bus into the database, and answers from it."""
