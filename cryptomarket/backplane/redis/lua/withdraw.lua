-- ARGV: prefix, epoch name, box, letter. Nothing of the letter stays.
redis.call('LREM', prefix .. 'mail:box:' .. ARGV[3], 1, ARGV[4])
local mail = prefix .. 'mail:'
redis.call('DEL', mail .. 'letter:' .. ARGV[4], mail .. 'asked:' .. ARGV[4], mail .. 'reply:' .. ARGV[4])
return 'OK'
