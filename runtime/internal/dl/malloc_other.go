//go:build !linux

package dl

// MapLargeBlocks does nothing on this system.
func MapLargeBlocks(int) bool { return false }
