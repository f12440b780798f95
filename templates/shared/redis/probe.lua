#!lua flags=allow-oom
-- Tells the time, and whether scripts can be run and write; works in full memory. KEYS: a key of its own.
redis.call('SET', KEYS[1], 1, 'PX', 60000)
return redis.call('TIME')
