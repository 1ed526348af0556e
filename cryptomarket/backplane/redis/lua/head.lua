-- Returns the epoch, its newest sequence, the oldest that the log holds, and the last id of the bell that an epoch rings.
return {epoch, text(head), text(first), bell}
