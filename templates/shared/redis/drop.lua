#!lua flags=allow-oom
-- Removes a document that is at a position. KEYS[4..5]: the document, names of all. ARGV: epoch if there is none,
-- epoch and offset to be at, name. Returns 1 if that is done.
-- include channel.lua
local epoch, at = position(ARGV[2])
if ARGV[3] ~= epoch or tonumber(ARGV[4]) ~= at then return 0 end
if redis.call('DEL', KEYS[4]) == 0 then return 0 end
redis.call('SREM', KEYS[5], ARGV[5])
redis.call('SPUBLISH', channel, 'r')
return 1
