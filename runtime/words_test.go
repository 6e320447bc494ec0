package runtime_test

import (
	"errors"
	"strings"
	"testing"

	"ucan/runtime"
)

// TestLoadError names the cause of a library on a file system that allows no programs, and no cause
// of others.
func TestLoadError(t *testing.T) {
	segment := runtime.LoadError("/cache/lib.so", errors.New("/cache/lib.so: failed to map segment from shared object"))
	for _, part := range []string{"/cache/lib.so", "noexec", "--library", "XDG_CACHE_HOME"} {
		if !strings.Contains(segment.Error(), part) {
			t.Errorf("the message lacks %q: %v", part, segment)
		}
	}
	if other := runtime.LoadError("/cache/lib.so", errors.New("undefined symbol")); strings.Contains(other.Error(), "noexec") {
		t.Errorf("a guess: %v", other)
	}
}
