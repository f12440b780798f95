#!lua
-- KEYS: the ticket, those of its user by their end. ARGV[2..]: milliseconds, most of a user, its name there, who.
-- Returns 0 if the user has too many.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
