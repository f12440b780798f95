#!lua flags=allow-oom
-- ARGV[2..]: node, milliseconds until it has to be said again, users. Announces those who were not there.
-- include presence.lua
for index = 4, #ARGV do
  local user = ARGV[index]
  local isNew = redis.call('ZADD', ends, now + ARGV[3], ARGV[2] .. ' ' .. user) == 1
  if isNew and redis.call('HINCRBY', counts, user, 1) == 1 then
    redis.call('ZADD', users, time[1] * 1000000 + time[2], user)
    redis.call('SPUBLISH', channel, 'j' .. user)
  end
end
purge()
for index = 2, 4 do redis.call('PEXPIRE', KEYS[index], 4 * ARGV[3]) end
return 1
