// The queue's Lua scripts that only larderd runs. Each is one arrow of the state machine in queue.hpp.
//
// Keys in addition to those in cache/wire/redis_scripts.hpp:
//   PREFIX{queue}owners      hash    KEY -> token of the lease. A KEY in `running` without an owner is waiting, given up or refused
//   PREFIX{queue}buried      zset    score: when it was given up, in ms, member: KEY; to trim the oldest of `dead`
// All times are by Redis's clock, so that machines whose clocks differ agree.
#pragma once

#include "cache/wire/redis_scripts.hpp"

// queue_again: queues the job, due at `at`, or earlier if it was asked for earlier while it was in hand.
// bury: keeps the job among the last 1,000 that were given up.
#define LARDER_LUA_QUEUE                                                    \
    "\nlocal function queue_again(due, asked_at, key, at)\n"                \
    "  local asked = redis.call('HGET', asked_at, key)\n"                   \
    "  redis.call('HDEL', asked_at, key)\n"                                 \
    "  redis.call('ZADD', due, math.min(at, tonumber(asked or at)), key)\n" \
    "end\n"                                                                 \
    "local function bury(dead, buried, key, job, now)\n"                    \
    "  redis.call('HSET', dead, key, job or '')\n"                          \
    "  redis.call('ZADD', buried, now, key)\n"                              \
    "  for _, old in ipairs(redis.call('ZRANGE', buried, 0, -1001)) do\n"   \
    "    redis.call('HDEL', dead, old)\n"                                   \
    "    redis.call('ZREM', buried, old)\n"                                 \
    "  end\n"                                                               \
    "end\n"

namespace larder::daemon::queue_scripts {

// KEYS: due, running, jobs, owners, attempts. ARGV: at most, lease in ms, token.
// Returns five values for each job: KEY, job, failed attempts, age in ms, ms since it was due.
inline constexpr char claim[] = LARDER_LUA_JOB_TIME R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 1, #due, 2 do
  local key = due[i]
  redis.call('ZREM', KEYS[1], key)
  local job = redis.call('HGET', KEYS[3], key)
  if job then
    redis.call('ZADD', KEYS[2], now + ARGV[2], key)
    redis.call('HSET', KEYS[4], key, ARGV[3])
    out[#out + 1] = key
    out[#out + 1] = job
    out[#out + 1] = redis.call('HGET', KEYS[5], key) or '0'
    local since = job_time(job)
    out[#out + 1] = since and math.max(now - struct.unpack('<i8', since), 0) or 0
    out[#out + 1] = now - tonumber(due[i + 1])
  end
end
return out
)lua";

// KEYS: due, running, dirty, jobs, attempts, owners, asked. ARGV: KEY, token, delay in ms. A dirty job is queued again as
// a new job with this delay. Returns "removed", "requeued" or "lost".
inline constexpr char finish[] = LARDER_LUA_JOB_TIME LARDER_LUA_QUEUE R"lua(
local key = ARGV[1]
if redis.call('HGET', KEYS[6], key) ~= ARGV[2] then return 'lost' end
redis.call('HDEL', KEYS[6], key)
redis.call('ZREM', KEYS[2], key)
redis.call('HDEL', KEYS[5], key)
if redis.call('SREM', KEYS[3], key) == 1 then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  local job = redis.call('HGET', KEYS[4], key)
  if job then redis.call('HSET', KEYS[4], key, with_job_time(job, struct.pack('<i8', now))) end
  queue_again(KEYS[1], KEYS[7], key, now + ARGV[3])
  return 'requeued'
end
redis.call('HDEL', KEYS[4], key)
redis.call('HDEL', KEYS[7], key)
return 'removed'
)lua";

// KEYS: running, jobs, attempts, owners, dead, buried. ARGV: KEY, token, attempts allowed, wait in ms, give up for ms,
// "1" if the attempt counts, else "0".
// Returns "waiting", "given up" or "lost".
inline constexpr char fail[] = LARDER_LUA_QUEUE R"lua(
local key = ARGV[1]
if redis.call('HGET', KEYS[4], key) ~= ARGV[2] then return 'lost' end
redis.call('HDEL', KEYS[4], key)
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HINCRBY', KEYS[3], key, ARGV[6]) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], now + ARGV[4], key)
  return 'waiting'
end
redis.call('ZADD', KEYS[1], now + ARGV[5], key)
bury(KEYS[5], KEYS[6], key, redis.call('HGET', KEYS[2], key), now)
return 'given up'
)lua";

// KEYS: running, jobs, attempts, owners, dirty. ARGV: KEY, token, attempts allowed, give up for ms. Returns 1, or 0 when the
// lease was lost. The empty job tells the enqueue script that it was refused.
inline constexpr char refuse[] = R"lua(
local key = ARGV[1]
if redis.call('HGET', KEYS[4], key) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[4], key)
redis.call('SREM', KEYS[5], key)
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[4], key)
redis.call('HSET', KEYS[2], key, '')
redis.call('HSET', KEYS[3], key, ARGV[3])
return 1
)lua";

// KEYS: due, running, dirty, owners, asked. ARGV: KEY, token, delay in ms. Returns 1, or 0 when the lease was lost.
inline constexpr char postpone[] = LARDER_LUA_QUEUE R"lua(
local key = ARGV[1]
if redis.call('HGET', KEYS[4], key) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[4], key)
redis.call('ZREM', KEYS[2], key)
redis.call('SREM', KEYS[3], key)
local t = redis.call('TIME')
queue_again(KEYS[1], KEYS[5], key, t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[3])
return 1
)lua";

// KEYS: dirty, jobs, owners. ARGV: KEY, token, job. Always returns 1.
inline constexpr char run_again[] = R"lua(
local key = ARGV[1]
if redis.call('HGET', KEYS[3], key) == ARGV[2] and redis.call('SADD', KEYS[1], key) == 1 then
  redis.call('HSET', KEYS[2], key, ARGV[3])
end
return 1
)lua";

// KEYS: running, owners. ARGV: lease in ms, KEY, token, KEY, token ... Returns the KEYs whose lease was lost.
inline constexpr char renew[] = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lost = {}
for i = 2, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
)lua";

// KEYS: due, running, dirty, jobs, attempts, owners, dead, buried, asked. ARGV: attempts allowed, give up for ms.
// Handles at most 256 jobs per call. An expired lease counts as a failed attempt; the job is queued without back-off.
// Returns the number of expired leases.
inline constexpr char reap[] = LARDER_LUA_QUEUE R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local allowed = tonumber(ARGV[1])
local crashed = 0
local function requeue(key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('SREM', KEYS[3], key)
  queue_again(KEYS[1], KEYS[9], key, now)
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 256)) do
  if redis.call('HDEL', KEYS[6], key) == 1 then
    crashed = crashed + 1
    if redis.call('HINCRBY', KEYS[5], key, 1) < allowed then
      requeue(key)
    else
      redis.call('ZADD', KEYS[2], now + ARGV[2], key)
      bury(KEYS[7], KEYS[8], key, redis.call('HGET', KEYS[4], key), now)
    end
  elseif tonumber(redis.call('HGET', KEYS[5], key) or '0') < allowed then
    requeue(key)
  else
    redis.call('HDEL', KEYS[5], key)
    if redis.call('SISMEMBER', KEYS[3], key) == 1 then
      requeue(key)
    else
      redis.call('ZREM', KEYS[2], key)
      redis.call('HDEL', KEYS[4], key)
      redis.call('HDEL', KEYS[9], key)
    end
  end
end
return crashed
)lua";

// KEYS: alive. ARGV: the larderd's name, how long in ms from now it takes jobs; 0: no longer. Heartbeats of others stay.
// (Older versions of larderd keep a string under this key.)
inline constexpr char announce[] = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('TYPE', KEYS[1]).ok == 'string' then redis.call('DEL', KEYS[1]) end
redis.call('ZREM', KEYS[1], ARGV[1])
if tonumber(ARGV[2]) > 0 then redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], last[2]) end
return 1
)lua";

// KEYS: due, running, owners, dead. Returns queued, due, running, waiting, given up.
inline constexpr char depths[] = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local leased = redis.call('HLEN', KEYS[3])
return {redis.call('ZCARD', KEYS[1]), redis.call('ZCOUNT', KEYS[1], '-inf', now), leased,
        math.max(redis.call('ZCARD', KEYS[2]) - leased, 0), redis.call('HLEN', KEYS[4])}
)lua";

}  // namespace larder::daemon::queue_scripts
