-- ARGV: prefix, epoch name, letter, body. Answers an asker who still waits.
local life_ms = redis.call('PTTL', prefix .. 'mail:asked:' .. ARGV[3])
if life_ms > 0 then
  redis.call('DEL', prefix .. 'mail:asked:' .. ARGV[3])
  redis.call('RPUSH', prefix .. 'mail:reply:' .. ARGV[3], ARGV[4])
  redis.call('PEXPIRE', prefix .. 'mail:reply:' .. ARGV[3], life_ms)
end
return 'OK'
