-- For scripts that run on the primary. KEYS[1] is the order's hash. An epoch is bound to the server that this runs on,
-- by its run_id, and to how it became primary: after a restart, a failover or a loss of data the order begins anew, even
-- if the data look whole. (A server that was demoted and promoted again keeps its run_id, though its data were replaced;
-- the id of the replication before that and the offset at which it ended have changed.)
local FORMER_LOGS = 4

-- The log of an epoch that has ended is given up before its groups had it.
local function give_up(name)
  local log = log_of(name)
  for _, group in ipairs(groups_of(log)) do
    local after = group.handed_out
    repeat
      local page = redis.call('XRANGE', log, entry_id(after + 1), '+', 'COUNT', 1000)
      for _, entry in ipairs(page) do
        lose(group.name, name, entry)
        after = seq_of(entry[1])
      end
    until #page == 0
    if group.lowest then
      local from = '-'
      repeat
        local page = redis.call('XPENDING', log, group.name, from, '+', 1000)
        for _, item in ipairs(page) do
          local entry = redis.call('XRANGE', log, item[1], item[1])[1]
            or redis.call('XRANGE', held_of(name, group.name), item[1], item[1])[1]
          if entry then
            lose(group.name, name, entry)
          end
          from = '(' .. item[1]
        end
      until #page == 0
    end
  end
  redis.call('UNLINK', log)
end

-- Of an epoch that has ended, only what its groups have not acknowledged stays, for a while.
local function keep_owed(name, head)
  local log = log_of(name)
  local owed_from = head + 1
  for _, group in ipairs(groups_of(log)) do
    owed_from = math.min(owed_from, group.owed_from)
  end
  if owed_from > head then
    redis.call('UNLINK', log)
    return
  end
  redis.call('XTRIM', log, 'MINID', '=', entry_id(owed_from))
  redis.call('EXPIRE', log, LIFE_S)
  redis.call('RPUSH', prefix .. 'former', name)
  redis.call('EXPIRE', prefix .. 'former', LIFE_S)
  while redis.call('LLEN', prefix .. 'former') > FORMER_LOGS do
    give_up(redis.call('LPOP', prefix .. 'former'))
  end
end

-- Returns epoch, head, first and bell.
local function order()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local replication = redis.call('INFO', 'replication')
  local promotion = string.match(replication, 'master_replid2:(%x+)')
    .. string.match(replication, 'second_repl_offset:(-?%d+)')
  local kept = redis.call('HMGET', KEYS[1], 'run_id', 'promotion', 'epoch', 'head', 'first', 'bell')
  if kept[1] == run_id and kept[2] == promotion then
    return kept[3], tonumber(kept[4]), tonumber(kept[5]), kept[6]
  end
  if kept[3] then
    keep_owed(kept[3], tonumber(kept[4]))
  end
  redis.call('DEL', prefix .. 'given_up')
  local bell = redis.call('XADD', prefix .. 'order:bell', 'MAXLEN', '=', 1, '*', 'epoch', ARGV[2])
  redis.call(
    'HSET', KEYS[1], 'run_id', run_id, 'promotion', promotion, 'epoch', ARGV[2], 'head', 0, 'first', 1, 'bell', bell
  )
  return ARGV[2], 0, 1, bell
end

local epoch, head, first, bell = order()
