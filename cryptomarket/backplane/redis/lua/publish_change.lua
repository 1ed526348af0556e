-- ARGV: prefix, epoch name, capacity, hard capacity, user, ticker, payload. Returns the epoch and the sequence.
head = head + 1
redis.call(
  'XADD', log, entry_id(head), 'kind', 'set_change', 'ticker', ARGV[6], 'prev_seq', '', 'payload', ARGV[7],
  'user_id', ARGV[5]
)
settle()
return {epoch, text(head)}
