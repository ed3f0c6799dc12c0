-- POST /v1/agents/{agent}/consume with a JSON body, spread evenly over many agents.
--   wrk -t2 -c64 -d10s --latency -s bench/wrk/consume.lua http://127.0.0.1:8080      (from the root of the repository)
-- BENCH_AGENTS (10000) agents named BENCH_PREFIX (bench) and a number; BENCH_TOKENS (1) tokens a call.
dofile("bench/wrk/report.lua")
dofile("bench/wrk/stride.lua")

local agents = tonumber(os.getenv("BENCH_AGENTS") or "10000")
local prefix = os.getenv("BENCH_PREFIX") or "bench"
local body = '{"tokens":' .. (os.getenv("BENCH_TOKENS") or "1") .. '}'

local threads = 0

function setup(thread)
  thread:set("slot", threads)
  threads = threads + 1
end

local requests, at, stride = {}, 0, 1

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for i = 0, agents - 1 do
    requests[i] = wrk.format("POST", string.format("/v1/agents/%s-%05d/consume", prefix, i), headers, body)
  end
  stride = stride_for(agents)
  at = (slot * 7919) % agents -- threads start apart, so that they do not hit the same agent together
end

function request()
  at = (at + stride) % agents
  return requests[at]
end
