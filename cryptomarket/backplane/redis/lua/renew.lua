-- ARGV: prefix, epoch name, lease, owner, token, life in microseconds (0 gives it back). Returns 1 when it was held.
local key = prefix .. 'lease:' .. ARGV[3]
local now = now_us()
local held = redis.call('HMGET', key, 'token', 'owner', 'end_us', 'epoch')
if held[1] ~= ARGV[5] or held[2] ~= ARGV[4] or held[4] ~= epoch or tonumber(held[3]) <= now then
  return 0
end
if ARGV[6] == '0' then
  redis.call('HSET', key, 'owner', '')
else
  redis.call('HSET', key, 'end_us', text(now + ARGV[6]))
end
return 1
