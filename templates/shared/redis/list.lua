#!lua flags=allow-oom
-- Returns the users, longest present first, without those whose node has not said it again.
-- include presence.lua
purge()
return redis.call('ZRANGE', users, 0, -1)
