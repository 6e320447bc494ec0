package dataset

import (
	"context"
	"encoding/hex"
	"testing"

	"ucan/fixtures/shared"
)

func mustOpen(t testing.TB, spec string, opt Options) *Source {
	t.Helper()
	s, err := Open(context.Background(), spec, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The expected labels and digests were computed with numpy 2.x from the same
// files: hashlib.sha256((img/np.float32(255)).astype('<f4').tobytes()).
func TestRealFiles(t *testing.T) {
	t.Parallel()
	dir := shared.Path(t)
	for _, tc := range []struct {
		spec, name string
		n          int
		index      int
		label      int
		sha        string
	}{
		{"mnist:" + dir + "/data/mnist", "mnist:t10k", 10000, 8000, 4, "cdb4725888d8613677856d3082ddf115c87811f20871d49d8d9d51837c6a08e6"},
		{"cifar10:" + dir + "/data/cifar10/test_batch.bin.gz", "cifar10:test_batch.bin", 2000, 1234, 4, "eb80c77eb556fb3e65ee9003f9fab32d50f0535458c51ee75bef483b9375018b"},
	} {
		s := mustOpen(t, tc.spec, Options{})
		if s.Len() != tc.n || s.Info().Name != tc.name {
			t.Errorf("%s: %d inputs named %q, want %d, %q", tc.spec, s.Len(), s.Info().Name, tc.n, tc.name)
		}
		item, err := s.At(context.Background(), tc.index)
		if err != nil {
			t.Fatal(err)
		}
		if item.Label != tc.label || hex.EncodeToString(item.SHA256[:]) != tc.sha {
			t.Errorf("%s: input %d has label %d, digest %x; want %d, %s", tc.spec, tc.index, item.Label, item.SHA256, tc.label, tc.sha)
		}
	}
}
