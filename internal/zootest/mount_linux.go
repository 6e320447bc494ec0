package zootest

import (
	"syscall"
	"testing"
)

// SmallDisk mounts a file system of so many bytes at a folder until the test ends. It skips the
// test where that is not permitted.
func SmallDisk(t testing.TB, folder string, bytes string) {
	t.Helper()
	if err := syscall.Mount("ucan-test", folder, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v); run the test as root", err)
	}
	unmountLater(t, folder)
}

// ReadOnly makes a folder read-only, for root as well, until thaw is called or the test ends. It
// skips the test where that is not permitted.
func ReadOnly(t testing.TB, folder string) (thaw func()) {
	t.Helper()
	if err := syscall.Mount(folder, folder, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("a folder cannot be mounted read-only here (%v); run the test as root", err)
	}
	unmountLater(t, folder)
	change := func(flags uintptr) {
		if err := syscall.Mount("", folder, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	change(syscall.MS_RDONLY)
	return func() { change(0) }
}

func unmountLater(t testing.TB, folder string) {
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}
