package worker

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// resident is the physical memory that the process holds, in bytes.
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("read /proc/self/statm: %q", text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// groupLimit is 95 % of the memory that the process's control group may hold, 0 where there is no
// limit: a process that ends by itself just below it leaves a reason, one that the kernel kills
// does not.
func groupLimit() int64 {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	limit := int64(0)
	for line := range strings.Lines(string(text)) {
		path, found := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !found {
			continue
		}
		// Inside a container the group's own path may not exist; its files then lie at the root.
		for dir := path; ; dir = filepath.Dir(dir) {
			if value, readErr := os.ReadFile(filepath.Join("/sys/fs/cgroup", dir, "memory.max")); readErr == nil {
				if n, parseErr := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64); parseErr == nil && (limit == 0 || n < limit) {
					limit = n
				}
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return limit / 20 * 19
}
