//go:build unix

package library

import (
	"fmt"
	"os"
	"syscall"
)

// alterable says who besides this user and the administrator may change a file
// or folder, "" when nobody may. A group may: on many systems every user has
// one of their own.
func alterable(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "" // reading it fails with the reason
	}
	if info.Mode().Perm()&0o002 != 0 {
		return "can be written by every user"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if owner := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != owner {
		return fmt.Sprintf("belongs to user %d", stat.Uid)
	}
	return ""
}
