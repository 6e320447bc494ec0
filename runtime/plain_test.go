package runtime_test

import (
	"os"
	"path/filepath"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

func TestCgroupQuota(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		files map[string]string
		want  int
	}{
		"none": {nil, 0},
		"v2 in a container": {map[string]string{
			"proc/self/cgroup":      "0::/\n",
			"sys/fs/cgroup/cpu.max": "150000 100000\n",
		}, 2}, // 1.5 CPUs: rounded up
		"v2 unlimited": {map[string]string{
			"proc/self/cgroup":      "0::/\n",
			"sys/fs/cgroup/cpu.max": "max 100000\n",
		}, 0},
		"v2 limited further up": {map[string]string{
			"proc/self/cgroup":                           "0::/user.slice/job.scope\n",
			"sys/fs/cgroup/user.slice/cpu.max":           "300000 100000\n",
			"sys/fs/cgroup/user.slice/job.scope/cpu.max": "max 100000\n",
		}, 3},
		"v2 below one": {map[string]string{
			"proc/self/cgroup":        "0::/a\n",
			"sys/fs/cgroup/a/cpu.max": "20000 100000\n",
		}, 1},
		"v2 without a period": {map[string]string{
			"proc/self/cgroup":      "0::/\n",
			"sys/fs/cgroup/cpu.max": "400000\n",
		}, 4},
		"v1": {map[string]string{
			"proc/self/cgroup": "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n",
			"sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us":  "250000\n",
			"sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
		}, 3},
		"v1 with the group's folder as root": {map[string]string{
			"proc/self/cgroup":                            "4:cpu,cpuacct:/docker/x\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  "200000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 2},
		"v1 unlimited": {map[string]string{
			"proc/self/cgroup":                    "4:cpu:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, 0},
		"cpuset is not cpu": {map[string]string{
			"proc/self/cgroup":                    "4:cpuset:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  "100000\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, 0},
		"damaged": {map[string]string{
			"proc/self/cgroup":      "nonsense\n0::/../../etc\n",
			"sys/fs/cgroup/cpu.max": "x y\n",
		}, 0},
	}) {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range c.files {
				full := filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := runtime.CgroupCPUs(root); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	if n := runtime.CPUCount(); n < 1 {
		t.Errorf("%d CPUs", n)
	}
}

func TestGraphIO(t *testing.T) {
	in, out, err := runtime.GraphIO(runtime.TinyModel())
	if err != nil {
		t.Fatal(err)
	}
	if len(in) != 1 || in[0].String() != "x float[2,3]" || len(out) != 1 || out[0].String() != "y float[2,2]" {
		t.Errorf("read %v, %v", in, out)
	}
	// An input with an initialiser need not be fed: the tiny model with its
	// weight listed among the inputs, as files of IR 3 have it.
	sequence := []byte{0x0a, 1, 'q', 0x12, 2, 0x22, 0} // TypeProto.sequence_type
	m := runtime.MakeGraph(nil,
		[][]byte{runtime.MakeValue("x", onnx.Float16, -1, 3), sequence}, [][]byte{runtime.MakeValue("y", onnx.Int64)})
	in, out, err = runtime.GraphIO(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(in) != 2 || in[0].String() != "x float16[N,3]" || in[1].Tensor || out[0].String() != "y int64[]" {
		t.Errorf("read %v, %v", in, out)
	}
}

func FuzzGraphIO(f *testing.F) {
	tiny := runtime.TinyModel()
	f.Add(tiny)
	f.Add(tiny[:len(tiny)/2])
	f.Add([]byte("not a model"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, out, err := runtime.GraphIO(b)
		if err != nil {
			return
		}
		for _, d := range append(in, out...) {
			if d.Ranked && len(d.Dims) != len(d.Symbols) {
				t.Errorf("%d dimensions, %d symbols", len(d.Dims), len(d.Symbols))
			}
			_ = d.String()
		}
	})
}
