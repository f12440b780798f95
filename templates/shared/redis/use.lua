#!lua flags=allow-oom
-- KEYS: what a user has and uses. ARGV[2..]: server, its connections, milliseconds for which that holds, which of its
-- counts of the user it is, what was taken by that count: as it was said last, and now; the most that is charged,
-- tokens a second, at once. Returns connections elsewhere, tokens left. Run again, it charges nothing.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local own, count, charged, taken = 'at ' .. ARGV[2], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local rate, burst = tonumber(ARGV[9]), tonumber(ARGV[10])
local kept = 2 * ARGV[4] + math.ceil(1000 * burst / rate)
local known = redis.call('HGETALL', KEYS[1])
local elsewhere, left, seen = 0, burst, now
for index = 1, #known, 2 do
  local name, value = known[index], known[index + 1]
  if name == 'left' then left = tonumber(value)
  elseif name == 'seen' then seen = tonumber(value)
  else
    local connections, ends, counted, before = string.match(value, '^(%d+) (%d+) (%d+) (%S+)$')
    ends = tonumber(ends) or 0
    if name == own then
      -- The reply to what charged more may have been lost.
      if counted == count then charged = math.max(charged, tonumber(before)) end
    elseif ends > now then elsewhere = elsewhere + connections
    elseif ends + kept <= now then redis.call('HDEL', KEYS[1], name) end
  end
end
taken = math.max(charged, taken)
left = math.min(burst, left + math.max(0, now - seen) * rate / 1000) - math.min(taken - charged, tonumber(ARGV[8]))
left = math.max(left, -burst)
local said = ARGV[3] .. ' ' .. now + ARGV[4] .. ' ' .. count .. ' ' .. string.format('%.17g', taken)
redis.call('HSET', KEYS[1], own, said, 'left', tostring(left), 'seen', now)
redis.call('PEXPIRE', KEYS[1], kept)
return {elsewhere, tostring(left)}
