#!lua flags=allow-oom
-- ARGV[2..]: epoch and number of the last update in the state, state.
-- include document.lua
local known = redis.call('HMGET', meta, 'epoch', 'baseSeq')
if known[1] ~= ARGV[2] or tonumber(known[2] or 0) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', meta, 'base', ARGV[4], 'baseSeq', ARGV[3])
redis.call('XTRIM', updates, 'MINID', (tonumber(ARGV[3]) + 1) .. '-0')
return 1
