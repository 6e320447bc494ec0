package runtime

import (
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
)

// CPUCount is the number of processors this process can keep busy: the
// smallest of the machine's, the scheduler's affinity mask and the CPU quota
// of its control group (v1 or v2, rounded up to whole processors, at least 1).
// onnxruntime by itself sees only the machine, and in a container of 2 of 64
// processors starts 64 threads.
func CPUCount() int {
	n := goruntime.NumCPU() // follows the affinity mask on Linux
	if goruntime.GOOS != "linux" {
		return n
	}
	if q := cgroupCPUs("/"); q > 0 {
		n = min(n, q)
	}
	return max(n, 1)
}

// cgroupCPUs is the CPU quota of the process's control group below the file
// system root, in processors rounded up, 0 for no limit. A limit on any group
// above holds too, so the smallest on the way up counts.
func cgroupCPUs(root string) int {
	limit := math.Inf(1)
	data, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		id, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		switch {
		case id == "0" && controllers == "": // v2
			limit = min(limit, walkUp(root, "sys/fs/cgroup", group, quotaV2))
		case hasController(controllers, "cpu"): // v1
			// Some systems mount the pair, some link cpu to it.
			for _, mount := range []string{"cpu", "cpu,cpuacct", "cpuacct,cpu"} {
				limit = min(limit, walkUp(root, "sys/fs/cgroup/"+mount, group, quotaV1))
			}
		}
	}
	if math.IsInf(limit, 1) {
		return 0
	}
	return max(1, int(math.Ceil(limit)))
}

func hasController(list, name string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

// walkUp applies quota to the group's folder and all above it up to the
// mount. In a container the group's path may not exist below the mount, which
// then is the container's own group.
func walkUp(root, mount, group string, quota func(dir string) float64) float64 {
	top := filepath.Join(root, mount)
	limit := quota(top)
	dir := filepath.Join(top, filepath.Clean("/"+group))
	for dir != top && strings.HasPrefix(dir, top) {
		limit = min(limit, quota(dir))
		dir = filepath.Dir(dir)
	}
	return limit
}

// quotaV2 reads cpu.max: "QUOTA PERIOD", QUOTA a number or "max".
func quotaV2(dir string) float64 {
	data, err := os.ReadFile(filepath.Join(dir, "cpu.max"))
	if err != nil {
		return math.Inf(1)
	}
	f := strings.Fields(string(data))
	if len(f) == 0 || f[0] == "max" {
		return math.Inf(1)
	}
	period := "100000"
	if len(f) > 1 {
		period = f[1]
	}
	return ratio(f[0], period)
}

// quotaV1 reads cpu.cfs_quota_us (−1: none) and cpu.cfs_period_us.
func quotaV1(dir string) float64 {
	quota, err := os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us"))
	if err != nil {
		return math.Inf(1)
	}
	period, err := os.ReadFile(filepath.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return math.Inf(1)
	}
	return ratio(strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

func ratio(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	if err != nil {
		return math.Inf(1)
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || !(q > 0) || !(p > 0) {
		return math.Inf(1)
	}
	return q / p
}
