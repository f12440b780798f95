#!lua
-- Publishes once for each id. KEYS[4]: the id; ARGV: epoch if there is none, milliseconds to keep the channel,
-- entries, bytes, milliseconds to keep the id, this attempt, data. Returns duplicate, offset, epoch.
-- include channel.lua
local epoch = position(ARGV[2])
local first = redis.call('GET', KEYS[4])
if first then
  local offset, attempt = string.match(first, '^(%d+) (.*)$')
  return {attempt == ARGV[7] and 0 or 1, tonumber(offset), epoch}
end
local offset = append(epoch, ARGV[8], tonumber(ARGV[4]), tonumber(ARGV[5]))
redis.call('SET', KEYS[4], offset .. ' ' .. ARGV[7], 'PX', ARGV[6])
expire(ARGV[3])
return {0, offset, epoch}
