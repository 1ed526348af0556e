-- ARGV: prefix, epoch name, group, ticker. Returns the epoch, the head, up to where the group has acknowledged, whether
-- a loss of the ticker is not written down yet (1 or 0), and the ticker's hash.
local acknowledged = '0'
for _, group in ipairs(groups_of(log_of(epoch))) do
  if group.name == ARGV[3] then
    acknowledged = text(group.owed_from - 1)
  end
end
local has_losses = 0
for _, name in ipairs(redis.call('HKEYS', prefix .. 'losses:' .. ARGV[3])) do
  if string.match(name, ' (.*)$') == ARGV[4] then
    has_losses = 1
  end
end
return {epoch, text(head), acknowledged, has_losses, redis.call('HGETALL', prefix .. 'ticker:' .. ARGV[4])}
