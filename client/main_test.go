package client

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a call leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
