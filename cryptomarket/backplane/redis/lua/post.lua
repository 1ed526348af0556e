-- ARGV: prefix, epoch name, box, letter, life in milliseconds, bound, body. Returns 0 when the box is full.
local box = prefix .. 'mail:box:' .. ARGV[3]
for _, waiting in ipairs(redis.call('LRANGE', box, 0, -1)) do
  if redis.call('EXISTS', prefix .. 'mail:letter:' .. waiting) == 0 then
    redis.call('LREM', box, 1, waiting)
  end
end
local bound = tonumber(ARGV[6])
if redis.call('LLEN', box) >= bound then
  return 0
end
redis.call('SET', prefix .. 'mail:letter:' .. ARGV[4], ARGV[7], 'PX', ARGV[5])
redis.call('SET', prefix .. 'mail:asked:' .. ARGV[4], '', 'PX', ARGV[5])
redis.call('RPUSH', box, ARGV[4])
redis.call('PEXPIRE', box, 86400000)
local bell = prefix .. 'mail:bell:' .. ARGV[3]
redis.call('RPUSH', bell, '')
redis.call('LTRIM', bell, -bound, -1)
redis.call('PEXPIRE', bell, 86400000)
return 1
