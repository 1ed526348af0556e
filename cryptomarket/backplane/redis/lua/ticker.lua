-- A ticker's hash is of the epoch that it names. In a new one, what was its last tick is remembered; nothing else counts.
-- Returns what is remembered.
local function renew(key, former)
  local payload = nil
  if former then
    local known = redis.call('HMGET', key, 'tick', 'remembered')
    payload = known[1] or known[2] or nil
    redis.call('DEL', key)
  end
  redis.call('HSET', key, 'epoch', epoch)
  if payload then
    redis.call('HSET', key, 'remembered', payload)
  end
  return payload
end
