#!lua
-- Changes a document if it is at a position. KEYS[4..6]: the document, this attempt, names of all. ARGV: as of
-- publish.lua, but [7] the patch, then text, epoch and offset to be at ('' if there is to be none), most documents,
-- name. Returns what it was (0: at another position, 1: done, 2: there are too many), offset, epoch.
-- include channel.lua
local epoch, at = position(ARGV[2])
local done = redis.call('GET', KEYS[5])
if done then return {1, tonumber(done), epoch} end
local exists = redis.call('EXISTS', KEYS[4]) == 1
if ARGV[9] == '' then
  if exists then return {0, at, epoch} end
  if redis.call('SCARD', KEYS[6]) >= tonumber(ARGV[11]) then return {2, at, epoch} end
elseif not exists or ARGV[9] ~= epoch or tonumber(ARGV[10]) ~= at then
  return {0, at, epoch}
end
redis.call('SET', KEYS[4], ARGV[8])
redis.call('SADD', KEYS[6], ARGV[12])
local offset = append(epoch, ARGV[7], tonumber(ARGV[4]), tonumber(ARGV[5]))
redis.call('SET', KEYS[5], offset, 'PX', ARGV[6])
expire(ARGV[3])
return {1, offset, epoch}
