//go:build !amd64 && !arm64

package processor

// instructions returns nothing: the architecture alone is recorded.
func instructions() []string { return nil }
