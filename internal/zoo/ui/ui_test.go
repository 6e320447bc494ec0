package ui

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ucan/internal/zoo/store"
)

// TestServe asks the interface for its page and for the queue's states, and for what it must
// refuse.
func TestServe(t *testing.T) {
	name, err := store.ParseName(t.TempDir() + "/zoo.db")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), name, store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx, stop := context.WithCancel(t.Context())
	urls, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Serve(ctx, s, "0", slog.New(slog.DiscardHandler), func(url string) { urls <- url })
	}()
	base := <-urls
	if !strings.HasPrefix(base, "http://127.0.0.1:") {
		t.Errorf("it listens at %s", base)
	}
	for _, c := range []struct {
		method, path, host, origin string
		code                       int
		text                       string
	}{
		{"GET", "", "", "", 200, "<html"},
		{"GET", "api/states", "", "", 200, "available"},
		{"GET", "api/states", "evil.example", "", 403, "this machine only"},
		{"POST", "api/jobs/cancel", "", "http://evil.example", 403, "other sites"},
		{"POST", "api/jobs/delete", "", "", 403, "never deleted"},
	} {
		request, requestErr := http.NewRequestWithContext(ctx, c.method, base+c.path, strings.NewReader(`{"ids":["1"]}`))
		if requestErr != nil {
			t.Fatal(requestErr)
		}
		if c.host != "" {
			request.Host = c.host
		}
		if c.origin != "" {
			request.Header.Set("Origin", c.origin)
		}
		response, requestErr := http.DefaultClient.Do(request)
		if requestErr != nil {
			t.Fatal(requestErr)
		}
		body, requestErr := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if requestErr != nil || response.StatusCode != c.code || !strings.Contains(strings.ToLower(string(body)), c.text) {
			t.Errorf("%s %s (host %q, origin %q): %d %.200s", c.method, c.path, c.host, c.origin, response.StatusCode, body)
		}
	}
	stop()
	if err = <-done; err != nil {
		t.Error(err)
	}
}
