-- POST /v1/agents/{agent}/consume, each call about an agent drawn at random.
--   BENCH_AGENTS=1000000 wrk -t1 -c64 -d10s -s bench/wrk/uniform.lua http://127.0.0.1:8080      (from the root of the repository)
-- BENCH_AGENTS (10000) agents named BENCH_PREFIX (bench) and a number; BENCH_TOKENS (1) tokens a call.
dofile("bench/wrk/report.lua")

local agents = tonumber(os.getenv("BENCH_AGENTS") or "10000")
local prefix = os.getenv("BENCH_PREFIX") or "bench"
local body = '{"tokens":' .. (os.getenv("BENCH_TOKENS") or "1") .. '}'
local head, tail

-- A request is put together when it is sent: a million of them would not fit into wrk's memory.
function init(args)
  local sample = wrk.format("POST", "/v1/agents/@/consume", { ["Content-Type"] = "application/json" }, body)
  local at = sample:find("@", 1, true)
  head, tail = sample:sub(1, at - 1) .. prefix .. "-", sample:sub(at + 1)
  math.randomseed(os.time())
end

function request()
  return head .. string.format("%05d", math.random(0, agents - 1)) .. tail
end
