package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/witness"
)

func TestAVerdictIsNoMoreThanTheClientKnows(t *testing.T) {
	allowed := client.Decision{}
	allowed.Allowed = true
	for _, c := range []struct {
		d    client.Decision
		err  error
		want witness.Verdict
	}{
		{allowed, nil, witness.Admitted},
		{client.Decision{}, nil, witness.Denied},
		{client.Decision{}, fmt.Errorf("%w: refused", client.ErrUnreachable), witness.Refused},
		{client.Decision{}, &client.Error{Status: http.StatusBadRequest}, witness.Refused},
		{client.Decision{}, &client.Error{Status: http.StatusServiceUnavailable}, witness.Unknown},
		{client.Decision{}, errors.New("connection reset"), witness.Unknown},
		{client.Decision{}, context.DeadlineExceeded, witness.Unknown},
	} {
		if got := verdict(c.d, c.err); got != c.want {
			t.Errorf("allowed %v, %v: verdict %d, want %d", c.d.Allowed, c.err, got, c.want)
		}
	}
}
