#!lua flags=allow-oom
-- KEYS: what is revoked by time, where that is published. ARGV[2..]: what, how many are kept. What is oldest gives way
-- to a rule that refuses more than it did.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[2])
local many = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if many > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[1], many + 1)
  redis.call('ZADD', KEYS[1], oldest[#oldest], 'before')
end
redis.call('SPUBLISH', KEYS[2], now .. ' ' .. ARGV[2])
return now
