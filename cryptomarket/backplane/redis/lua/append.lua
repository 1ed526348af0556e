-- For scripts that publish. ARGV[3] and ARGV[4] are the log's capacity and its hard capacity.
local log = log_of(epoch)

-- Entries up to `last` are given up. What a group was not handed out yet is lost to it; what it holds is kept aside, for
-- it is lost only when its consumer dies before it is stored.
local function give_up_to(last, groups, hard_capacity)
  for _, group in ipairs(groups) do
    if group.lowest and group.lowest <= last then
      local held = held_of(epoch, group.name)
      for _, item in ipairs(
        redis.call('XPENDING', log, group.name, entry_id(first), entry_id(last), last - first + 1)
      ) do
        local entry = redis.call('XRANGE', log, item[1], item[1])[1]
        redis.call('XADD', held, 'MAXLEN', '=', text(hard_capacity), entry[1], unpack(entry[2]))
      end
      redis.call('XTRIM', held, 'MINID', '=', entry_id(group.lowest))
      redis.call('EXPIRE', held, LIFE_S)
    else
      redis.call('UNLINK', held_of(epoch, group.name))
    end
    if group.handed_out < last then
      local from = math.max(first, group.handed_out + 1)
      for _, entry in ipairs(redis.call('XRANGE', log, entry_id(from), entry_id(last))) do
        lose(group.name, epoch, entry)
      end
      redis.call('HINCRBY', prefix .. 'given_up', group.name, text(last - group.handed_out))
      redis.call('XGROUP', 'SETID', log, group.name, entry_id(last))
    end
  end
end

-- Writes down the new head, and trims the log to its bounds.
local function settle()
  local capacity, hard_capacity = tonumber(ARGV[3]), tonumber(ARGV[4])
  local start = head - capacity + 1
  if start > first then
    local groups = groups_of(log)
    for _, group in ipairs(groups) do
      start = math.min(start, group.owed_from)
    end
    local at_hard_bound = head - math.max(capacity, hard_capacity) + 1
    if start < at_hard_bound then
      start = at_hard_bound
      give_up_to(start - 1, groups, hard_capacity)
    end
  end
  if start > first then
    redis.call('XTRIM', log, 'MINID', '=', entry_id(start))
    first = start
  end
  redis.call('HSET', KEYS[1], 'head', text(head), 'first', text(first))
end
