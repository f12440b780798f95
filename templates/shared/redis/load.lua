#!lua flags=allow-oom
-- KEYS[4]: a document. ARGV: as of open.lua. Returns offset, epoch, text; null if there is none.
-- include channel.lua
local text = redis.call('GET', KEYS[4])
if not text then return false end
local epoch, offset = position(ARGV[2])
expire(ARGV[3])
return {offset, epoch, text}
