-- stride_for(n): a stride near the golden section that shares no divisor with n, so that stepping by it meets all of n in an order
-- without locality.
local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

function stride_for(n)
  local s = math.max(1, math.floor(n * 0.618))
  while gcd(s, n) ~= 1 do s = s + 1 end
  return s
end
