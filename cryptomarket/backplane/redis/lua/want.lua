-- ARGV: prefix, epoch name, 'want' or 'look', then owner, life in microseconds and tickers by line for the former.
-- Returns the bell's last id and what each owner wants.
local wants, ends, bell = prefix .. 'demand:wants', prefix .. 'demand:ends', prefix .. 'demand:bell'
local now = now_us()
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', text(now))) do
  redis.call('ZREM', ends, owner)
  redis.call('HDEL', wants, owner)
end
if ARGV[3] == 'want' then
  redis.call('ZADD', ends, text(now + ARGV[5]), ARGV[4])
  if redis.call('HGET', wants, ARGV[4]) ~= ARGV[6] then
    redis.call('HSET', wants, ARGV[4], ARGV[6])
    redis.call('XADD', bell, 'MAXLEN', '=', 1, '*', 'owner', ARGV[4])
  end
  return {}
end
local rung = redis.call('XREVRANGE', bell, '+', '-', 'COUNT', 1)
local told = redis.call('HVALS', wants)
table.insert(told, 1, rung[1] and rung[1][1] or '0-0')
return told
