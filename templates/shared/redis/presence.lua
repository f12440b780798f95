-- What all scripts of presence begin with. KEYS: where it is published; a set of "node user" by the time at which
-- each ends, a set of users by the time at which each came, how many nodes each is at. Times are those of Redis:
-- the clocks of nodes may differ.
local channel, ends, users, counts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function remove(member)
  if redis.call('ZREM', ends, member) == 0 then return end
  local user = string.match(member, ' (.*)$')
  if redis.call('HINCRBY', counts, user, -1) > 0 then return end
  redis.call('HDEL', counts, user)
  redis.call('ZREM', users, user)
  redis.call('SPUBLISH', channel, 'l' .. user)
end
local function purge()
  for _, member in ipairs(redis.call('ZRANGE', ends, '-inf', now, 'BYSCORE')) do remove(member) end
end
