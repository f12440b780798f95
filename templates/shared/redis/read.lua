#!lua flags=no-writes
-- ARGV: epoch and offset of a client. Returns whether that is all it misses, offset, epoch, entries; null if the
-- channel has to be opened.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'run')
if not known[1] or known[3] ~= ARGV[1] then return false end
local top = tonumber(known[2])
if ARGV[2] == known[1] and tonumber(ARGV[3]) <= top then
  local since = tonumber(ARGV[3])
  local entries = redis.call('XRANGE', KEYS[2], string.format('%d-0', since + 1), '+')
  if #entries == top - since then return {1, top, known[1], entries} end
end
return {0, top, known[1], redis.call('XRANGE', KEYS[2], '-', '+')}
