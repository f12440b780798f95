#!lua flags=allow-oom
-- ARGV[2..]: node, user, milliseconds of grace, after which all nodes are told to look again.
-- include presence.lua
local member = ARGV[2] .. ' ' .. ARGV[3]
if ARGV[4] == '0' then remove(member)
elseif redis.call('ZSCORE', ends, member) then
  redis.call('ZADD', ends, now + ARGV[4], member)
  for index = 2, 4 do
    if redis.call('PTTL', KEYS[index]) < 2 * ARGV[4] then redis.call('PEXPIRE', KEYS[index], 2 * ARGV[4]) end
  end
  redis.call('SPUBLISH', channel, 'g' .. ARGV[4])
end
return 1
