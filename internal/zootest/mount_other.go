//go:build !linux

package zootest

import "testing"

// SmallDisk skips the test: file systems are mounted on Linux only.
func SmallDisk(t testing.TB, _, _ string) {
	t.Helper()
	t.Skip("a small disk is mounted on Linux only")
}

// ReadOnly skips the test: file systems are mounted on Linux only.
func ReadOnly(t testing.TB, _ string) (thaw func()) {
	t.Helper()
	t.Skip("a folder is mounted read-only on Linux only")
	return nil
}
