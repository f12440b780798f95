#!lua flags=allow-oom
-- ARGV[2..]: epoch if there is none, that of the server and the last update that it has. What came after that.
-- include document.lua
if redis.call('EXISTS', meta) == 0 then return {'', 0} end
local epoch = epochOf(ARGV[2])
local known = redis.call('HMGET', meta, 'seq', 'baseSeq', 'base')
local last = epoch == ARGV[3] and tonumber(ARGV[4]) or -1
local found = {epoch, tonumber(known[1] or 0)}
if known[3] and tonumber(known[2]) > last then found[3] = known[3] end
for _, entry in ipairs(redis.call('XRANGE', updates, '(' .. math.max(last, 0) .. '-0', '+')) do
  found[#found + 1] = entry[2][2]
end
return found
