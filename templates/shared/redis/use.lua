#!lua flags=allow-oom
-- KEYS: what a user has and uses. ARGV[2..]: server, its connections, milliseconds for which that holds, what the user
-- has used since it was said last, tokens a second, at once. Returns connections elsewhere, tokens left.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function set(name, value) redis.call('HSET', KEYS[1], name, value) end
if ARGV[3] == '0' then redis.call('HDEL', KEYS[1], 'at ' .. ARGV[2])
else set('at ' .. ARGV[2], ARGV[3] .. ' ' .. now + ARGV[4]) end
local known = redis.call('HGETALL', KEYS[1])
local elsewhere, left, seen = 0, tonumber(ARGV[7]), now
for index = 1, #known, 2 do
  local name, value = known[index], known[index + 1]
  if name == 'left' then left = tonumber(value)
  elseif name == 'seen' then seen = tonumber(value)
  elseif name ~= 'at ' .. ARGV[2] then
    local connections, ends = string.match(value, '^(%d+) (%d+)$')
    if tonumber(ends) > now then elsewhere = elsewhere + connections
    else redis.call('HDEL', KEYS[1], name) end
  end
end
left = math.min(ARGV[7], left + math.max(0, now - seen) * ARGV[6] / 1000) - ARGV[5]
left = math.max(left, -ARGV[7])
set('left', tostring(left))
set('seen', now)
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[4] + math.ceil(1000 * ARGV[7] / ARGV[6]))
return {elsewhere, tostring(left)}
