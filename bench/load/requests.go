package load

import (
	"fmt"
	"strconv"
)

// Agents returns requests that take one token each and go through n agents
// called prefix-00000 and so on, in an order without locality. Each n requests
// in a row reach all of them.
func Agents(prefix string, n int) func(uint64) []byte {
	requests := make([][]byte, n)
	const body = `{"tokens":1}`
	for i := range requests {
		requests[i] = []byte("POST /v1/agents/" + fmt.Sprintf("%s-%05d", prefix, i) + "/consume HTTP/1.1\r\nHost: bench\r\n" +
			"Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	}
	stride := strideFor(n)
	return func(i uint64) []byte { return requests[i%uint64(n)*stride%uint64(n)] }
}

// strideFor is a number near the golden section of n that shares no divisor
// with it.
func strideFor(n int) uint64 {
	s := max(1, n*618/1000)
	for gcd(s, n) != 1 {
		s++
	}
	return uint64(s)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
