-- ARGV: prefix, epoch name, ticker, payload.
local key = prefix .. 'ticker:' .. ARGV[3]
local known = redis.call('HMGET', key, 'epoch', 'tick')
if known[1] ~= epoch then
  renew(key, known[1])
  known[2] = false
end
if not known[2] then
  redis.call('HSET', key, 'remembered', ARGV[4])
  redis.call('EXPIRE', key, LIFE_S)
  redis.call('ZADD', prefix .. 'tickers', text(math.floor(now_us() / 86400000000)), ARGV[3])
end
return 'OK'
