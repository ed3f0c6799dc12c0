package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// bucket is a token bucket in Redis: a hash of level and time, refilled when it is looked at.
var bucket = redis.NewScript(`
local b = redis.call('HMGET', KEYS[1], 'level', 'at')
local capacity, rate, now, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local level, at = tonumber(b[1]) or capacity, tonumber(b[2]) or now
level = math.min(capacity, level + math.max(0, now - at) * rate / 1000)
local allowed = 0
if level >= tokens then
  level = level - tokens
  allowed = 1
end
redis.call('HSET', KEYS[1], 'level', level, 'at', now)
redis.call('PEXPIRE', KEYS[1], 86400000)
return {allowed, math.floor(level)}
`)

func now() time.Time { return time.Now() }

type redisBuckets struct{ *redis.Client }

func openRedis(ctx context.Context, addr string) (*redisBuckets, error) {
	c := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 64})
	if err := bucket.Load(ctx, c).Err(); err != nil {
		return nil, fmt.Errorf("redis at %s: %w", addr, err)
	}
	return &redisBuckets{c}, nil
}

func (r *redisBuckets) take(ctx context.Context, agent string, tokens int) (bool, int64, error) {
	got, err := bucket.Run(ctx, r, []string{"bucket:" + agent}, capacity, refillRate, now().UnixMilli(), tokens).Int64Slice()
	if err != nil {
		return false, 0, err
	}
	return got[0] == 1, got[1], nil
}
