-- Begins every script. ARGV[1] is the prefix of all keys, ARGV[2] a name for an epoch, should a new one be due.
local prefix = ARGV[1]

local function text(number)
  return string.format('%.0f', number)
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
