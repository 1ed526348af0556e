-- A sliding window. ARGV: prefix, epoch name, key, limit, period in seconds, 'take' or 'look'.
-- Returns whether there was room, what is left, and after how many microseconds there is room again.
local key = prefix .. 'limit:' .. ARGV[3] .. ':' .. ARGV[4] .. ':' .. ARGV[5]
local limit, period_us = tonumber(ARGV[4]), tonumber(ARGV[5]) * 1000000
local now = now_us()
redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now - period_us))
local counted = redis.call('ZCARD', key)
local room = counted < limit
if room and ARGV[6] == 'take' then
  local newest = redis.call('ZRANGE', key, -1, -1)[1]
  local at = math.max(now, newest and tonumber(newest) + 1 or 0)
  redis.call('ZADD', key, text(at), text(at))
  redis.call('PEXPIRE', key, text(period_us / 1000 + 1000))
  counted = counted + 1
end
local wait_us = 0
if counted >= limit then
  local oldest = redis.call('ZRANGE', key, 0, 0)[1]
  wait_us = oldest and math.max(0, tonumber(oldest) + period_us - now) or period_us
end
return {room and '1' or '0', text(math.max(0, limit - counted)), text(wait_us)}
