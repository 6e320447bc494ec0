package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"ucan/fixtures/subtest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// put writes a file below dir.
func put(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func describeItem(t *testing.T, path string, besides ...string) Item {
	t.Helper()
	item, err := Describe(t.Context(), path, besides, nil)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func resolver(t *testing.T, depot Depot, dir string, limit int64) *Resolver {
	t.Helper()
	if depot == nil {
		r, err := NewResolver(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	cache, err := OpenCache(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResolver(depot, cache)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hold(t *testing.T, r *Resolver, item Item) *Held {
	t.Helper()
	h, err := r.Hold(t.Context(), item)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bucket starts an object store and returns the depot in it.
func bucket(t *testing.T, name string) *Bucket {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	backend := s3mem.New()
	if err := backend.CreateBucket("zoo"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	depot, err := OpenDepot("s3://" + name + "?endpoint=" + server.URL + "&region=us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	b, ok := depot.(*Bucket)
	if !ok {
		t.Fatalf("%T, want a bucket", depot)
	}
	return b
}

// Whatever the depot, what is published on one machine is found, verified, on another.
func TestDepots(t *testing.T) {
	for name, depot := range subtest.Rows(map[string]Depot{"folder": NewFolder(filepath.Join(t.TempDir(), "shared")), "bucket": bucket(t, "zoo/some/prefix")}) {
		t.Run(name, func(t *testing.T) {
			here := t.TempDir()
			put(t, here, "m/weights/w.bin", strings.Repeat("weights", 1000))
			file := describeItem(t, put(t, here, "m/model.onnx", "model"), "weights/w.bin")
			put(t, here, "data/b.png", "b")
			put(t, here, "data/a/a.png", "")
			folder := describeItem(t, filepath.Join(here, "data"))
			if len(file.Files) != 2 || len(folder.Files) != 2 || folder.Entry != "data" || folder.Files[0].Name != "data/a/a.png" || file.Bytes() != 7005 {
				t.Fatalf("%+v\n%+v", file, folder)
			}
			var published []string
			for range 2 { // the second time there is nothing to do
				if err := Publish(t.Context(), depot, []Item{file, folder}, func(r Ref) { published = append(published, r.Name) }); err != nil {
					t.Fatal(err)
				}
			}
			if len(published) != 8 {
				t.Errorf("told of %v", published)
			}
			if err := os.RemoveAll(here); err != nil {
				t.Fatal(err)
			}
			there := resolver(t, depot, t.TempDir(), 0)
			held := hold(t, there, file)
			if filepath.Base(held.Path) != "model.onnx" || content(t, held.Path) != "model" || len(content(t, filepath.Join(filepath.Dir(held.Path), "weights/w.bin"))) != 7000 {
				t.Errorf("%q", held.Path)
			}
			held = hold(t, there, folder)
			if filepath.Base(held.Path) != "data" || content(t, filepath.Join(held.Path, "b.png")) != "b" || content(t, filepath.Join(held.Path, "a/a.png")) != "" {
				t.Errorf("%q", held.Path)
			}
			missing := Item{Entry: "x", Files: []Ref{{Name: "x", SHA256: strings.Repeat("ab", 32), Bytes: 3}}}
			if _, err := there.Hold(t.Context(), missing); !errors.Is(err, ErrNotFound) {
				t.Errorf("missing: %v", err)
			}
			if has, err := depot.Has(t.Context(), missing.Files[0]); has || err != nil {
				t.Errorf("has: %t, %v", has, err)
			}
		})
	}
}

// A depot that gives other bytes than the hash says is found out, whatever their number, and
// nothing of them stays.
func TestDamagedDepot(t *testing.T) {
	dir := t.TempDir()
	depot := NewFolder(filepath.Join(dir, "shared"))
	item := describeItem(t, put(t, dir, "m.onnx", "model"))
	if err := Publish(t.Context(), depot, []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	item.Origin = ""
	for _, damaged := range []string{"modeL", "mode", "model and more", ""} {
		put(t, filepath.Join(dir, "shared"), key(item.Files[0]), damaged)
		cache := filepath.Join(t.TempDir(), "cache")
		if _, err := resolver(t, depot, cache, 0).Hold(t.Context(), item); !errors.Is(err, ErrMismatch) {
			t.Errorf("%q: %v, want a mismatch", damaged, err)
		}
		left, err := filepath.Glob(filepath.Join(cache, "*"))
		if err != nil || strings.Contains(strings.Join(left, " "), "tmp-") || len(left) > 2 { // the locks
			t.Errorf("%q: left %v", damaged, left)
		}
	}
}

// Publishing checks what it uploads: a file that changed since it was described reaches no depot.
func TestPublishVerifies(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "m.onnx", "model")
	item := describeItem(t, path)
	put(t, dir, "m.onnx", "other")
	for name, depot := range subtest.Rows(map[string]Depot{"folder": NewFolder(filepath.Join(dir, "shared")), "bucket": bucket(t, "zoo")}) {
		t.Run(name, func(t *testing.T) {
			if err := Publish(t.Context(), depot, []Item{item}, nil); err == nil {
				t.Errorf("%s: accepted another content", name)
			}
			if has, err := depot.Has(t.Context(), item.Files[0]); has || err != nil {
				t.Errorf("%s: has it: %t, %v", name, has, err)
			}
		})
	}
}

// A model replaced while the run goes on is noticed at its next use: without a depot that is an
// error, with one the planned content is fetched.
func TestReplacedFile(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "m.onnx", "model")
	item := describeItem(t, path)
	inPlace := resolver(t, nil, "", 0)
	if h := hold(t, inPlace, item); h.Path != path {
		t.Errorf("%q, want the file where it is", h.Path)
	}
	depot := NewFolder(filepath.Join(dir, "shared"))
	if err := Publish(t.Context(), depot, []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "new", "MODEL") // of the same size
	if err := os.Rename(filepath.Join(dir, "new"), path); err != nil {
		t.Fatal(err)
	}
	_, err := inPlace.Hold(t.Context(), item)
	if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "plan the run anew") {
		t.Errorf("replaced: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := inPlace.Hold(t.Context(), item); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "--artifacts") {
		t.Errorf("removed: %v", err)
	}
	if h := hold(t, resolver(t, depot, t.TempDir(), 0), item); content(t, h.Path) != "model" {
		t.Errorf("from the depot: %q", content(t, h.Path))
	}
}

// A cached copy that was damaged by hand is fetched again.
func TestDamagedCache(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	depot := NewFolder(filepath.Join(dir, "shared"))
	item := describeItem(t, put(t, dir, "m.onnx", "model"))
	if err := Publish(t.Context(), depot, []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	item.Origin = ""
	h, err := resolver(t, depot, cache, 0).Hold(t.Context(), item)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Close(), os.WriteFile(h.Path, []byte("mouldy"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if again := hold(t, resolver(t, depot, cache, 0), item); content(t, again.Path) != "model" {
		t.Errorf("%q", content(t, again.Path))
	}
}

// The cache keeps to its limit, drops what was used longest ago, and never what somebody holds.
func TestCacheLimit(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	depot := NewFolder(filepath.Join(dir, "shared"))
	var items []Item
	for i := range 4 {
		item := describeItem(t, put(t, dir, fmt.Sprintf("%d", i), strings.Repeat(fmt.Sprint(i), 100)))
		if err := Publish(t.Context(), depot, []Item{item}, nil); err != nil {
			t.Fatal(err)
		}
		item.Origin = ""
		items = append(items, item)
	}
	r := resolver(t, depot, cache, 250)
	use := func(i int) *Held { return hold(t, r, items[i]) }
	release := func(h *Held) {
		if err := errors.Join(h.Close(), h.Close()); err != nil {
			t.Fatal(err)
		}
	}
	cached := func() string {
		var out strings.Builder
		for i, item := range items {
			if _, err := os.Stat(filepath.Join(cache, "item-"+item.Hash())); err == nil {
				fmt.Fprint(&out, i)
			}
		}
		return out.String()
	}
	release(use(0))
	release(use(1))
	release(use(0)) // now 1 is the oldest
	release(use(2))
	if got := cached(); got != "02" {
		t.Errorf("cached %s, want 0 and 2", got)
	}
	zero, two := use(0), use(2)
	if _, err := r.Hold(t.Context(), items[3]); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("full of what is held: %v", err)
	}
	release(zero)
	three := use(3)
	if got := cached(); got != "23" {
		t.Errorf("cached %s, want 2 and 3", got)
	}
	release(two)
	release(three)
	big := describeItem(t, put(t, dir, "big", strings.Repeat("x", 300)))
	if err := Publish(t.Context(), depot, []Item{big}, nil); err != nil {
		t.Fatal(err)
	}
	big.Origin = ""
	if _, err := r.Hold(t.Context(), big); err == nil || !strings.Contains(err.Error(), "raise the limit") {
		t.Errorf("larger than the cache: %v", err)
	}
}

// counted counts how often each content is opened.
type counted struct {
	Depot
	opened atomic.Int64
}

func (c *counted) Open(ctx context.Context, r Ref) (io.ReadCloser, error) {
	c.opened.Add(1)
	return c.Depot.Open(ctx, r)
}

// Many who ask at once, through resolvers of their own as processes have, make one fetch.
func TestFetchedOnce(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	depot := &counted{Depot: NewFolder(filepath.Join(dir, "shared"))}
	item := describeItem(t, put(t, dir, "m.onnx", strings.Repeat("model", 100_000)))
	if err := Publish(t.Context(), depot, []Item{item}, nil); err != nil {
		t.Fatal(err)
	}
	item.Origin = ""
	var wg sync.WaitGroup
	for range 8 {
		r := resolver(t, depot, cache, 1<<20)
		wg.Go(func() {
			h, err := r.Hold(t.Context(), item)
			if err != nil {
				t.Error(err)
				return
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := depot.opened.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestHostileNames(t *testing.T) {
	sum := sha256.Sum256(nil)
	hash := hex.EncodeToString(sum[:])
	for _, name := range []string{"", "..", "../x", "/etc/passwd", "a/../../b", `a\b`, "a\x00", "./a", "a//b"} {
		item := Item{Entry: "x", Files: []Ref{{Name: name, SHA256: hash}}}
		if _, err := resolver(t, NewFolder(t.TempDir()), t.TempDir(), 0).Hold(t.Context(), item); err == nil {
			t.Errorf("%q: accepted", name)
		}
		item = Item{Entry: name, Files: []Ref{{Name: "x", SHA256: hash}}}
		if _, err := resolver(t, NewFolder(t.TempDir()), t.TempDir(), 0).Hold(t.Context(), item); err == nil {
			t.Errorf("entry %q: accepted", name)
		}
	}
	for _, bad := range []string{"", "ab", strings.Repeat("A", 64), strings.Repeat("../", 21) + "a"} {
		if err := (Ref{Name: "x", SHA256: bad}).Validate(); err == nil {
			t.Errorf("hash %q: accepted", bad)
		}
	}
}

func TestOpenDepot(t *testing.T) {
	for location, want := range subtest.Rows(map[string]string{
		"http://host/x":              "unknown kind of store",
		"s3://":                      "must name a bucket",
		"s3://key:secret@bucket":     "environment",
		"s3://b?endpoint=ftp://x":    "http(s)",
		"s3://b?endpoint=http://x/y": "http(s)",
		"s3://b?key=1":               `unknown parameter "key"`,
	}) {
		t.Run(location, func(t *testing.T) {
			if _, err := OpenDepot(location); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", location, err, want)
			}
		})
	}
	ref := Ref{Name: "m", SHA256: strings.Repeat("ab", 32), Bytes: 1}
	if _, err := bucket(t, "absent").Has(t.Context(), ref); err != nil && !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("absent bucket: %v", err)
	}
	if err := bucket(t, "absent").Put(t.Context(), ref, bytes.NewReader([]byte("x"))); err == nil {
		t.Error("put into an absent bucket")
	}
}

func TestIdentityIgnoresPlaces(t *testing.T) {
	dir := t.TempDir()
	a, b := describeItem(t, put(t, dir, "a/m", "x")), describeItem(t, put(t, dir, "b/m", "x"))
	if a.Hash() != b.Hash() || a.Origin == b.Origin {
		t.Errorf("%+v and %+v", a, b)
	}
	if c := describeItem(t, put(t, dir, "c/m", "y")); c.Hash() == a.Hash() {
		t.Error("other contents have the same hash")
	}
}
