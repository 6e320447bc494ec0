package processor

import (
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	old := features{sse41: true}
	avx := features{sse41: true, avx: true}
	bare := features{sse41: true, avx: true, avx2: true} // without fused multiplication the AVX2 kernels are not used
	haswell := features{sse41: true, avx: true, avx2: true, fma: true}
	knights := features{sse41: true, avx: true, avx2: true, fma: true, avx512f: true}
	skylake := features{sse41: true, avx: true, avx2: true, fma: true, avx512f: true, avx512core: true}
	sapphire := features{sse41: true, avx: true, avx2: true, fma: true, avx512f: true, avx512core: true, vnni: true, bf16: true, amx: true}
	alder := features{sse41: true, avx: true, avx2: true, fma: true, vnni: true}
	for _, c := range []struct {
		f    features
		want string
	}{
		{features{}, "sse2"}, {old, "sse4.1"}, {avx, "avx"}, {bare, "avx"}, {haswell, "avx2"}, {knights, "avx512f"},
		{skylake, "avx512"}, {sapphire, "avx512 vnni bf16 amx"}, {alder, "avx2 vnni"},
	} {
		if got := strings.Join(levelOf(c.f), " "); got != c.want {
			t.Errorf("%+v is %q, want %q", c.f, got, c.want)
		}
	}
}
