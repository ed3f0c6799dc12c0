-- POST /v1/consume: batches of BENCH_BATCH (1000) checks, which go through all agents in an order without locality.
--   wrk -t1 -c16 -d10s -s bench/wrk/batch.lua http://127.0.0.1:8080      (from the root of the repository)
-- BENCH_AGENTS (10000) agents named BENCH_PREFIX (bench) and a number; a check takes one token.
dofile("bench/wrk/report.lua")
dofile("bench/wrk/stride.lua")

local agents = tonumber(os.getenv("BENCH_AGENTS") or "10000")
local prefix = os.getenv("BENCH_PREFIX") or "bench"
local size = tonumber(os.getenv("BENCH_BATCH") or "1000")

local requests, at = {}, 0

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  local agent, stride = 0, stride_for(agents)
  for i = 1, math.max(1, math.floor(agents / size)) do
    local checks = {}
    for k = 1, size do
      agent = (agent + stride) % agents
      checks[k] = string.format('{"agent":"%s-%05d","tokens":1}', prefix, agent)
    end
    requests[i] = wrk.format("POST", "/v1/consume", headers, '{"checks":[' .. table.concat(checks, ",") .. "]}")
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
