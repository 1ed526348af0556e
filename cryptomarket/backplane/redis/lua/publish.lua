-- ARGV: prefix, epoch name, capacity, hard capacity, lease name, token, the fence's epoch or '', the lane's name and its
-- number, then kind, ticker and payload of each. Returns the epoch, the first sequence and the tickers' previous
-- sequences. {'fenced'} for an old token, and for any of a former epoch: a lease ends with the epoch in which it was
-- acquired. {'closed'} for what its publisher has given up for lost.
local LANE_LIFE_S = 86400
local DAY_US = 86400000000
local lease = redis.call('HMGET', prefix .. 'lease:' .. ARGV[5], 'token', 'epoch')
if lease[1] ~= ARGV[6] or lease[2] ~= epoch or (ARGV[7] ~= '' and ARGV[7] ~= epoch) then
  return {'fenced'}
end
local lane = prefix .. 'lane:' .. ARGV[8]
if redis.call('GET', lane) ~= ARGV[9] then
  return {'closed'}
end
local day = text(math.floor(now_us() / DAY_US))

-- The ticker's first word of a day: its hash and its name live on, and what has lapsed goes.
local function keep_for_days(ticker, key)
  redis.call('HSET', key, 'day', day)
  redis.call('EXPIRE', key, LIFE_S)
  redis.call('ZADD', prefix .. 'tickers', day, ticker)
  redis.call('ZREMRANGEBYSCORE', prefix .. 'tickers', '-inf', text(tonumber(day) - LIFE_S / 86400 - 1))
end

local told = {epoch, text(head + 1)}
for at = 10, #ARGV, 3 do
  local kind, ticker, payload = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local key = prefix .. 'ticker:' .. ticker
  local known = redis.call('HMGET', key, 'epoch', 'last_seq', 'remembered', 'day')
  local previous = known[2] or ''
  if known[1] ~= epoch then
    previous = ''
    known[3] = renew(key, known[1])
    known[4] = nil
  end
  head = head + 1
  local seq = text(head)
  if kind == 'gap' then
    redis.call('HSET', key, 'last_seq', seq)
  else
    redis.call('HSET', key, 'last_seq', seq, kind, payload, kind .. '_seq', seq, kind .. '_prev_seq', previous)
    if kind == 'tick' and known[3] then
      redis.call('HDEL', key, 'remembered')
    end
  end
  if known[4] ~= day then
    keep_for_days(ticker, key)
  end
  redis.call('XADD', log, '0-' .. seq, 'kind', kind, 'ticker', ticker, 'prev_seq', previous, 'payload', payload)
  told[#told + 1] = previous
end
if #told > 2 then
  settle()
end
-- Last, for a server that is out of memory refuses a script at its first write only, and this one would pass.
if redis.call('TTL', lane) < LANE_LIFE_S / 2 then
  redis.call('EXPIRE', lane, LANE_LIFE_S)
end
return told
