-- ARGV: prefix, epoch name, group. Returns up to where it has acknowledged, and how many it will never get.
for _, group in ipairs(groups_of(log_of(epoch))) do
  if group.name == ARGV[3] then
    return {text(group.owed_from - 1), redis.call('HGET', prefix .. 'given_up', ARGV[3]) or '0'}
  end
end
return {'0', '0'}
