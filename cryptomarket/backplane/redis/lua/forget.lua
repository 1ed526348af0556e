-- ARGV: prefix, epoch name, group, then field and value of each loss that was written down. One that has grown stays.
local key = prefix .. 'losses:' .. ARGV[3]
for at = 4, #ARGV, 2 do
  if redis.call('HGET', key, ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', key, ARGV[at])
  end
end
return 'OK'
