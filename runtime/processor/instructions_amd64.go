package processor

import "golang.org/x/sys/cpu"

// instructions returns the level of the float kernels, and what quantised and reduced-precision
// kernels need beyond it. The levels are those of onnxruntime's matrix library: SSE, AVX, AVX2 with
// fused multiplication, AVX-512.
func instructions() []string { return levelOf(x86Features()) }

// features are the instruction sets looked at.
type features struct {
	sse41, avx, avx2, fma, avx512f, avx512core, vnni, bf16, amx bool
}

func x86Features() features {
	x := &cpu.X86
	return features{
		sse41: x.HasSSE41, avx: x.HasAVX, avx2: x.HasAVX2, fma: x.HasFMA, avx512f: x.HasAVX512F,
		avx512core: x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL,
		vnni:       x.HasAVX512VNNI || x.HasAVXVNNI, bf16: x.HasAVX512BF16, amx: x.HasAMXTile,
	}
}

func levelOf(f features) []string {
	var level string
	switch {
	case f.avx512f && f.avx512core && f.avx2 && f.fma:
		level = "avx512"
	case f.avx512f && f.avx2 && f.fma:
		level = "avx512f"
	case f.avx2 && f.fma:
		level = "avx2"
	case f.avx:
		level = "avx"
	case f.sse41:
		level = "sse4.1"
	default:
		level = "sse2"
	}
	out := []string{level}
	for _, e := range []struct {
		has  bool
		name string
	}{{f.vnni, "vnni"}, {f.bf16, "bf16"}, {f.amx, "amx"}} {
		if e.has {
			out = append(out, e.name)
		}
	}
	return out
}
