-- ARGV: prefix, epoch name, box. Returns the oldest letter that still waits, and its body; nothing when there is none.
local box = prefix .. 'mail:box:' .. ARGV[3]
while true do
  local letter = redis.call('LPOP', box)
  if not letter then
    return {}
  end
  local body = redis.call('GETDEL', prefix .. 'mail:letter:' .. letter)
  if body then
    return {letter, body}
  end
end
