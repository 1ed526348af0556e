-- Returns name, owner and token of each lease that is held now.
local now = now_us()
local told = {}
for _, name in ipairs(redis.call('SMEMBERS', prefix .. 'leases')) do
  local held = redis.call('HMGET', prefix .. 'lease:' .. name, 'token', 'owner', 'end_us', 'epoch')
  if held[2] and held[2] ~= '' and held[4] == epoch and tonumber(held[3]) > now then
    told[#told + 1] = name
    told[#told + 1] = held[2]
    told[#told + 1] = held[1]
  end
end
return told
