package fleet

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Metric reads one sample of /metrics, for example
// `clawd_node_degraded{reason="flush"}`.
func (n *Node) Metric(ctx context.Context, series string) (float64, error) {
	body, err := n.get(ctx, "http://"+n.HTTP+"/metrics", "text/plain")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s: no metric %s", n.Name, series)
}
