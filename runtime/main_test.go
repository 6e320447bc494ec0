package runtime_test

import (
	"os"
	"testing"

	"ucan/runtime"
)

func TestMain(m *testing.M) {
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
