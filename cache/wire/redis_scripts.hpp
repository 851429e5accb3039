// Names of Larder's keys in Redis, and the Lua scripts that nginx and larderd share.
//
// PREFIX is the configured one (default "larder:"):
//   PREFIXe:KEY              string  an entry (entry.hpp), always with a TTL; KEY is Key::text()
//   PREFIXl:KEY              string  who holds the lease to fill the key, or "pass": its answers can't be stored;
//                                    always with a TTL
//   PREFIXt:TAGHASH          set     KEYs of entries with the tag or URL, always with a TTL
//   PREFIXp:KEY              string  the entry's policy (write_policy), with the entry's TTL, for jobs that a purge
//                                    enqueues
//   PREFIX{purge}sequence    string  sequence of the newest purge
//   PREFIX{purge}log         zset    score: sequence; member: "TAGHASH:s" or "TAGHASH:h" (soft, hard), or "floor"
//   PREFIX{purge}pending     list    purges whose pages larderd has yet to enqueue: "SEQUENCE TAGHASH POSITION"; the
//                                    newest 10,000, as nobody takes them without a larderd
//   PREFIX{purge}kept        string  sequence up to which a larderd has the log's purges on disk; with a TTL, so that
//                                    it exists only while a larderd does that
//   PREFIX{purge}positions   hash    database -> newest commit position of any purge, "NAME/SYSTEM/TIMELINE/LSN"
//   PREFIX{queue}due         zset    score: due time in ms (lower for priority); member: KEY
//   PREFIX{queue}jobs        hash    KEY -> encoded job
//   PREFIX{queue}running     zset    score: lease deadline in ms; member: KEY
//   PREFIX{queue}dirty       set     KEYs purged while running, to be rendered once more
//   PREFIX{queue}asked       hash    KEY -> earliest due time requested while running
//   PREFIX{queue}attempts    hash    KEY -> failed attempts
//   PREFIX{queue}dead        hash    KEY -> job given up; the newest 1000
//   PREFIX{queue}alive       zset    score: end of a heartbeat in ms; member: a larderd that takes jobs; with the TTL
//                                    of the last heartbeat, so that it exists only while a larderd takes jobs
//
// Purge sequences are microseconds of Redis's clock, made strictly increasing: they order purges, and tell when they
// were made.
#pragma once

namespace larder::redis_scripts {

// Lua functions for the enqueueing time in an encoded job, as its eight bytes (at job_time_at, cache/job.hpp). nil or
// unchanged for a text too short to be a job.
#define LARDER_LUA_JOB_TIME                                                                                   \
    "local function job_time(job) if job and #job >= 14 then return job:sub(7, 14) end end\n"                \
    "local function with_job_time(job, time)\n"                                                              \
    "  return #job >= 14 and job:sub(1, 6) .. time .. job:sub(15) or job\n"                                  \
    "end"

// KEYS: sequence, log, pending, positions. ARGV: position; "1" to have the entries regenerated; mode "s" or "h";
// TAGHASH... If the stored position is in the same log (cluster and timeline), the later one is kept; otherwise they
// can't be compared, and the new one is kept. Returns the sequence as decimal digits.
inline constexpr char purge[] = R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local seq = now > last and now or last + 1
local text = string.format('%.0f', seq)
redis.call('SET', KEYS[1], text)
local function parts(position)
  local log, lsn = position:match('^([^/]+/%d+/%d+)/(%x+)$')
  if not log then log, lsn = position:match('^([^/]+/%d+)/(%x+)$') end
  if log then return log, tonumber(lsn, 16) end
end
local log, lsn = parts(ARGV[1])
if log then
  local name = log:match('^[^/]+')
  local old_log, old_lsn = parts(redis.call('HGET', KEYS[4], name) or '')
  if old_log ~= log or lsn > old_lsn then redis.call('HSET', KEYS[4], name, ARGV[1]) end
end
for i = 4, #ARGV do
  if ARGV[3] == 'h' then redis.call('ZREM', KEYS[2], ARGV[i] .. ':s') end
  redis.call('ZADD', KEYS[2], text, ARGV[i] .. ':' .. ARGV[3])
  if ARGV[2] == '1' then redis.call('RPUSH', KEYS[3], text .. ' ' .. ARGV[i] .. ' ' .. ARGV[1]) end
end
redis.call('LTRIM', KEYS[3], -10000, -1)
local over = redis.call('ZCARD', KEYS[2]) - 10000
if over > 0 then
  local gone = redis.call('ZRANGE', KEYS[2], over - 1, over - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
  redis.call('ZADD', KEYS[2], gone[2], 'floor')
end
return text
)lua";

// KEYS: entry. ARGV: entry's bytes, TTL in ms. Stores the entry unless the present one has a higher fence, or the
// same fence and is younger. Returns 1 if stored, else 0.
inline constexpr char put_entry[] = R"lua(
local function stamp(s) return struct.unpack('<I8', s:sub(73, 80)), struct.unpack('<I8', s:sub(25, 32)) end
local old = redis.call('GETRANGE', KEYS[1], 0, 79)
if #old == 80 and old:sub(1, 4) == 'LRDE' then
  local of, oc = stamp(old)
  local nf, nc = stamp(ARGV[1])
  if of > nf or (of == nf and oc > nc) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)lua";

// KEYS: lease. ARGV: its holder. Returns 1 if the lease was that holder's and was deleted, else 0.
inline constexpr char release_lease[] = R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua";

// KEYS: tag set. ARGV: KEY, TTL in ms. The set expires no earlier than the entry. Run this before put_entry, so that
// a purge made after the put finds the entry in the set.
inline constexpr char index_entry[] = R"lua(
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
)lua";

// KEYS: due, running, dirty, jobs, alive, asked. ARGV: KEY, delay in ms (negative: more urgent), job, "1" if urgent.
// Writes the time of enqueueing (enqueued_ms, cache/job.hpp) into a new job, by Redis's clock. A job whose bytes are
// replaced keeps its time, as it has waited since then. A running job, if put back, becomes due at the earliest time
// that was requested. Returns "new"; "dup": queued already; "raised": queued already, and due earlier now; "running";
// "dirty": running, and will run once more; or, if nothing was enqueued, "nodaemon": no larderd takes jobs;
// "refused": a larderd could not do the job lately.
inline constexpr char enqueue[] = LARDER_LUA_JOB_TIME R"lua(
if redis.call('EXISTS', KEYS[5]) == 0 then return 'nodaemon' end
local key = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = now + tonumber(ARGV[2])
local function put(old)
  redis.call('HSET', KEYS[4], key, with_job_time(ARGV[3], job_time(old) or struct.pack('<i8', now)))
end
if redis.call('ZSCORE', KEYS[2], key) then
  local old = redis.call('HGET', KEYS[4], key)
  if old == '' then return 'refused' end
  if due < tonumber(redis.call('HGET', KEYS[6], key) or due + 1) then
    redis.call('HSET', KEYS[6], key, due)
    redis.call('PEXPIRE', KEYS[6], 3600000)
  end
  if ARGV[4] ~= '1' then return 'running' end
  redis.call('SADD', KEYS[3], key)
  put(old)
  return 'dirty'
end
local old = redis.call('ZSCORE', KEYS[1], key)
if not old then
  redis.call('ZADD', KEYS[1], due, key)
  put()
  return 'new'
end
if ARGV[4] == '1' then put(redis.call('HGET', KEYS[4], key)) end
if due < tonumber(old) then
  redis.call('ZADD', KEYS[1], due, key)
  return 'raised'
end
return 'dup'
)lua";

}  // namespace larder::redis_scripts
