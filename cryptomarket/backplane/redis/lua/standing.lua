-- ARGV: prefix, epoch name, group, ticker. Returns the epoch, the head, up to where the group has acknowledged, the
-- names of its losses that are not written down, and the ticker's hash.
local acknowledged = '0'
for _, group in ipairs(groups_of(log_of(epoch))) do
  if group.name == ARGV[3] then
    acknowledged = text(group.owed_from - 1)
  end
end
local losses = redis.call('HKEYS', prefix .. 'losses:' .. ARGV[3])
return {epoch, text(head), acknowledged, losses, redis.call('HGETALL', prefix .. 'ticker:' .. ARGV[4])}
