-- ARGV: prefix, epoch name, 'all' or 'these', tickers. Returns the epoch, the head, and name and hash of each ticker.
local asked = {}
if ARGV[3] == 'all' then
  asked = redis.call('ZRANGE', prefix .. 'tickers', 0, -1)
else
  for at = 4, #ARGV do
    asked[#asked + 1] = ARGV[at]
  end
end
local told = {epoch, text(head)}
for _, ticker in ipairs(asked) do
  local known = redis.call('HGETALL', prefix .. 'ticker:' .. ticker)
  if #known > 0 then
    told[#told + 1] = ticker
    told[#told + 1] = known
  end
end
return told
