#!lua
-- ARGV[2..]: epoch if there is none, server, update. Returns its number.
-- include document.lua
local epoch = epochOf(ARGV[2])
local seq = redis.call('HINCRBY', meta, 'seq', 1)
redis.call('XADD', updates, seq .. '-0', 'u', ARGV[4])
redis.call('SPUBLISH', channel, table.concat({'u', ARGV[3], epoch, seq, ARGV[4]}, ' '))
return seq
