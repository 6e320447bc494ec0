package processor

import "golang.org/x/sys/cpu"

// instructions returns what kernels for 64-bit Arm are picked by.
func instructions() []string {
	a := &cpu.ARM64
	out := []string{"neon"}
	for _, e := range []struct {
		has  bool
		name string
	}{{a.HasASIMDHP, "fp16"}, {a.HasASIMDDP, "dotprod"}, {a.HasI8MM, "i8mm"}, {a.HasSVE, "sve"}} {
		if e.has {
			out = append(out, e.name)
		}
	}
	return out
}
