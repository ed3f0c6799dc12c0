package discovery

import (
	"context"
	"fmt"
	"time"
)

// static is an address that was written down.
type static struct{ address string }

func newStatic(item string) (Source, error) {
	a, err := address(item, DefaultPort)
	if err != nil {
		return nil, fmt.Errorf("join address %w, or dns:name, file:path, aws:tag=KEY:VALUE", err)
	}
	return static{a}, nil
}

func (s static) Addresses(context.Context) ([]string, error) { return []string{s.address}, nil }
func (s static) Every() time.Duration                        { return 0 }
func (s static) String() string                              { return s.address }
