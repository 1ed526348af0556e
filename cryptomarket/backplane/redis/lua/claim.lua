-- What others left, for a consumer. ARGV: prefix, epoch name, group, this consumer, the name under which it comes back,
-- limit, milliseconds of idleness that give another consumer up for dead. Returns the epoch, then pairs of an epoch and
-- the entries of its log, first those of epochs that have ended: at most `limit` in all.
local CONSUMER_LIFE_MS = 86400000
local group, me, name, limit, dead_ms = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

-- An entry that was handed out and never acknowledged: once more, or never again when the log has given it up.
local function once_more(of_epoch, id)
  local log = log_of(of_epoch)
  local entry = redis.call('XRANGE', log, id, id)[1]
  if entry then
    redis.call('XCLAIM', log, group, me, 0, id, 'JUSTID')
    return entry
  end
  local held = held_of(of_epoch, group)
  local lost = redis.call('XRANGE', held, id, id)[1]
  if lost then
    lose(group, of_epoch, lost)
    redis.call('XDEL', held, id)
  end
  if of_epoch == epoch then
    redis.call('HINCRBY', prefix .. 'given_up', group, 1)
  end
  redis.call('XACK', log, group, id)
end

local function take_over(of_epoch, room)
  local log = log_of(of_epoch)
  local entries = {}
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', log, group)) do
    local consumer = map_of(flat)
    local other = consumer['name']
    if other ~= me then
      local was_me = string.match(other, '^(.*):') == name
      -- Once more and again until nothing is left or there is no room: what is given up takes none.
      while #entries < room do
        local idle_ms = was_me and 0 or dead_ms
        local items = redis.call('XPENDING', log, group, 'IDLE', idle_ms, '-', '+', room - #entries, other)
        if #items == 0 then
          break
        end
        for _, item in ipairs(items) do
          entries[#entries + 1] = once_more(of_epoch, item[1])
        end
      end
      local left = redis.call('XPENDING', log, group, '-', '+', 1, other)
      if #left == 0 and (was_me or consumer['idle'] > CONSUMER_LIFE_MS) then
        redis.call('XGROUP', 'DELCONSUMER', log, group, other)
      end
    end
  end
  return entries
end

local function group_in(log)
  for _, of_log in ipairs(groups_of(log)) do
    if of_log.name == group then
      return of_log
    end
  end
end

local told, room = {epoch}, limit

local function tell(of_epoch, entries)
  if #entries > 0 then
    told[#told + 1] = of_epoch
    told[#told + 1] = entries
    room = room - #entries
  end
end

-- What is left of an epoch that has ended; its log goes when no group owes it anything.
for _, ended in ipairs(redis.call('LRANGE', prefix .. 'former', 0, -1)) do
  local log = log_of(ended)
  if group_in(log) then
    tell(ended, take_over(ended, room))
    local read = room > 0 and redis.call('XREADGROUP', 'GROUP', group, me, 'COUNT', room, 'STREAMS', log, '>')
    if read then
      tell(ended, read[1][2])
    end
    local own = group_in(log)
    local newest = map_of(redis.call('XINFO', 'STREAM', log))['last-generated-id']
    if not own.lowest and own.handed_out >= seq_of(newest) then
      redis.call('XGROUP', 'DESTROY', log, group)
      redis.call('UNLINK', held_of(ended, group))
    end
  end
  if #groups_of(log) == 0 then
    redis.call('UNLINK', log)
    redis.call('LREM', prefix .. 'former', 0, ended)
  end
end

local log = log_of(epoch)
if not group_in(log) then
  redis.call('XGROUP', 'CREATE', log, group, entry_id(first - 1), 'MKSTREAM')
end
tell(epoch, take_over(epoch, room))
return told
