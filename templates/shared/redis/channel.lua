-- What all scripts of a channel begin with. KEYS: what is known of the channel, its stream, where it is published.
-- ARGV[1]: the process of Redis; another one may have lost entries, so that a new epoch begins.
local meta, stream, channel = KEYS[1], KEYS[2], KEYS[3]
local function position(epoch)
  local known = redis.call('HMGET', meta, 'epoch', 'offset', 'run')
  if known[1] and known[3] == ARGV[1] then return known[1], tonumber(known[2]) end
  if not known[1] then redis.call('DEL', stream) end
  redis.call('HSET', meta, 'epoch', epoch, 'run', ARGV[1], 'offset', known[2] or 0)
  return epoch, tonumber(known[2] or 0)
end
local function expire(ttl)
  redis.call('PEXPIRE', meta, ttl)
  redis.call('PEXPIRE', stream, ttl)
end
local function append(epoch, data, most, mostBytes)
  local offset = redis.call('HINCRBY', meta, 'offset', 1)
  redis.call('XADD', stream, offset .. '-0', 'd', data)
  local bytes = redis.call('HINCRBY', meta, 'bytes', #data)
  while redis.call('XLEN', stream) > most or bytes > mostBytes do
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if not first then
      redis.call('HSET', meta, 'bytes', 0)
      break
    end
    redis.call('XDEL', stream, first[1])
    bytes = redis.call('HINCRBY', meta, 'bytes', -#first[2][2])
  end
  redis.call('SPUBLISH', channel, 'e' .. offset .. ' ' .. epoch .. ' ' .. data)
  return offset
end
