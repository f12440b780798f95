-- What all scripts of a collab document begin with. KEYS: what is known of it (with its state up to `baseSeq`), the
-- updates after that, where they are published. ARGV[1]: the process of Redis; another one may have lost updates, so
-- that a new epoch begins, in which all servers bring what they have.
local meta, updates, channel = KEYS[1], KEYS[2], KEYS[3]
local function epochOf(fresh)
  local known = redis.call('HMGET', meta, 'epoch', 'run')
  if known[1] and known[2] == ARGV[1] then return known[1] end
  redis.call('HSET', meta, 'epoch', fresh, 'run', ARGV[1])
  return fresh
end
