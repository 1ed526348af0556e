-- Begins every script. KEYS[1] is the order's hash, ARGV[1] the prefix of all keys, ARGV[2] a name for an epoch, should
-- a new one be due. An epoch is bound to the run_id of the server that this runs on: after a restart, a failover or a
-- loss of data the order begins anew, even if the data look whole.
local prefix = ARGV[1]

local function text(number)
  return string.format('%.0f', number)
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Returns the epoch.
local function order()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local kept = redis.call('HMGET', KEYS[1], 'run_id', 'epoch')
  if kept[1] == run_id then
    return kept[2]
  end
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'epoch', ARGV[2])
  return ARGV[2]
end

local epoch = order()
