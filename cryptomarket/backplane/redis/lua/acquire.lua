-- ARGV: prefix, epoch name, lease, owner, life in microseconds. Returns the token, or '' while another owner holds it.
-- A token is at least the time in milliseconds, so tokens grow even when the data were lost.
local key = prefix .. 'lease:' .. ARGV[3]
local now = now_us()
local held = redis.call('HMGET', key, 'token', 'owner', 'end_us', 'epoch')
if held[2] and held[2] ~= '' and held[2] ~= ARGV[4] and held[4] == epoch and tonumber(held[3]) > now then
  return ''
end
local token = text(math.max(math.floor(now / 1000), tonumber(held[1] or 0) + 1))
redis.call('HSET', key, 'token', token, 'owner', ARGV[4], 'end_us', text(now + ARGV[5]), 'epoch', epoch)
redis.call('SADD', prefix .. 'leases', ARGV[3])
return token
