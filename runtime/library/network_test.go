package library

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestInstallWithoutNetwork names the cause, and the way that needs no network.
func TestInstallWithoutNetwork(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "")
	}
	install := func(reason string) string {
		_, err := Install(context.Background(), InstallOptions{CacheDir: t.TempDir(), fetch: func(context.Context, pin, string, Options) (string, error) {
			return "", errors.New(reason)
		}})
		if err == nil {
			t.Fatal("nothing was fetched and it is installed")
		}
		return err.Error()
	}
	const none = "No matching distribution found for onnxruntime"
	if got := install(none); !strings.Contains(got, "lack of a network") || !strings.Contains(got, "ucan runtime install --from FILE") {
		t.Error(got)
	}
	if got := install("disk full"); strings.Contains(got, "out of reach") {
		t.Errorf("a guess: %s", got)
	}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	if got := install(none); !strings.Contains(got, "HTTPS_PROXY") {
		t.Error(got)
	}
}
