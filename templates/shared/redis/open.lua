#!lua flags=allow-oom
-- ARGV: epoch if there is none, milliseconds to keep the channel. Returns offset, epoch.
-- include channel.lua
local epoch, offset = position(ARGV[2])
expire(ARGV[3])
return {offset, epoch}
