-- The log of an epoch: a stream with entries `0-<seq>`, and its groups. A life is in seconds.
local LIFE_S = 30 * 86400

local function log_of(name)
  return prefix .. 'log:' .. name
end

local function held_of(name, group)
  return prefix .. 'held:' .. name .. ':' .. group
end

local function entry_id(seq)
  return '0-' .. text(seq)
end

local function seq_of(id)
  return tonumber(string.match(id, '%-(%d+)$'))
end

local function map_of(flat)
  local map = {}
  for at = 1, #flat, 2 do
    map[flat[at]] = flat[at + 1]
  end
  return map
end

-- The groups of a log: name, last sequence that was handed out, oldest that is not acknowledged (nil: none), and the
-- sequence from which on the log is owed to it.
local function groups_of(log)
  local groups = {}
  if redis.call('EXISTS', log) == 1 then
    for _, flat in ipairs(redis.call('XINFO', 'GROUPS', log)) do
      local told = map_of(flat)
      local handed_out = seq_of(told['last-delivered-id'])
      local lowest = told['pending'] > 0 and seq_of(redis.call('XPENDING', log, told['name'])[2]) or nil
      groups[#groups + 1] =
        {name = told['name'], handed_out = handed_out, lowest = lowest, owed_from = lowest or handed_out + 1}
    end
  end
  return groups
end

local TIMES = {tick = '"timestamp":(-?%d+)', status = '"since_ms":(-?%d+)', gap = '"to_ms":(-?%d+)'}

local function either(one, other, choose)
  if one == '' or other == '' then
    return one .. other
  end
  return text(choose(tonumber(one), tonumber(other)))
end

-- A group will never get this entry: its ticker's loss grows by it. Set changes are in no ticker's chain.
local function lose(group, name, entry)
  local fields = map_of(entry[2])
  local pattern = TIMES[fields['kind']]
  if not pattern then
    return
  end
  local key, field = prefix .. 'losses:' .. group, name .. ' ' .. fields['ticker']
  local first, last, count = seq_of(entry[1]), seq_of(entry[1]), 1
  local earliest = string.match(fields['payload'], pattern) or ''
  local latest = earliest
  local told = redis.call('HGET', key, field)
  if told then
    local first_told, last_told, count_told, earliest_told, latest_told =
      string.match(told, '^(%d+) (%d+) (%d+) (-?%d*) (-?%d*)$')
    first, last = math.min(first, tonumber(first_told)), math.max(last, tonumber(last_told))
    count = count + tonumber(count_told)
    earliest, latest = either(earliest, earliest_told, math.min), either(latest, latest_told, math.max)
  end
  redis.call('HSET', key, field, table.concat({text(first), text(last), text(count), earliest, latest}, ' '))
  redis.call('EXPIRE', key, LIFE_S)
end
