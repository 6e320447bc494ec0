package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Resolver finds items, verified, where they lay when the run was planned, or else in the cache,
// fetched from the depot. It is safe for concurrent use.
type Resolver struct {
	depot Depot
	cache *Cache

	mu       sync.Mutex
	verified map[string]stamp // by item and folder: what this process has verified already
}

// stamp is what a file looked like when it was verified; a file that was replaced since looks
// different.
type stamp struct {
	info fs.FileInfo
	size int64
	time time.Time
}

// NewResolver returns a resolver over a depot and a cache; both are nil where items are only used
// in place.
func NewResolver(depot Depot, cache *Cache) (*Resolver, error) {
	if (depot == nil) != (cache == nil) {
		return nil, errors.New("a depot of artifacts needs a cache, and a cache a depot; give both or neither")
	}
	return &Resolver{depot: depot, cache: cache, verified: map[string]stamp{}}, nil
}

// Held is an item that is ready for use on this machine. It cannot be evicted before it is closed.
type Held struct {
	// Path is the item's entry: what the user's path was.
	Path string

	lock *flock.Flock
	once sync.Once
	err  error
}

// Close lets go of the item. Closing twice is harmless.
func (h *Held) Close() error {
	h.once.Do(func() {
		if h.lock != nil {
			h.err = h.lock.Unlock()
		}
	})
	return h.err
}

// Hold makes an item ready for use and verifies its files. The error matches [ErrMismatch] when a
// file was replaced and no depot has the planned one, [ErrNotFound] when it is nowhere.
func (r *Resolver) Hold(ctx context.Context, item Item) (*Held, error) {
	if strings.Contains(item.Entry, "/") || (Ref{Name: item.Entry, SHA256: zeroHash}).Validate() != nil {
		return nil, fmt.Errorf("bad artifact entry %q: it must be the name of a file or folder, without a path", item.Entry)
	}
	inPlace := ErrNotFound
	if item.Origin != "" {
		if inPlace = r.verify(ctx, item.Origin, item); inPlace == nil {
			return &Held{Path: filepath.Join(item.Origin, item.Entry)}, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if r.depot == nil {
		if errors.Is(inPlace, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w; put it back, or publish the run's artifacts to a folder or store that all machines reach (--artifacts)", ErrNotFound, inPlace)
		}
		return nil, inPlace
	}
	for attempt := 0; ; attempt++ {
		folder, lock, err := r.cache.get(ctx, item, r.depot)
		if err != nil {
			return nil, err
		}
		err = r.verify(ctx, folder, item)
		if err == nil {
			return &Held{Path: filepath.Join(folder, item.Entry), lock: lock}, nil
		}
		err = errors.Join(err, lock.Unlock())
		if attempt > 0 || ctx.Err() != nil {
			return nil, err
		}
		if err := r.cache.drop(item); err != nil {
			return nil, err
		}
	}
}

const zeroHash = "0000000000000000000000000000000000000000000000000000000000000000"

// verify checks the files that changed, or were not seen, since the last time.
func (r *Resolver) verify(ctx context.Context, dir string, item Item) error {
	for _, ref := range item.Files {
		path := filepath.Join(dir, filepath.FromSlash(ref.Name))
		name := ref.SHA256 + " " + path
		now, statErr := os.Stat(path)
		r.mu.Lock()
		before, seen := r.verified[name]
		r.mu.Unlock()
		if statErr == nil && seen && os.SameFile(before.info, now) && before.size == now.Size() && before.time.Equal(now.ModTime()) {
			continue
		}
		if err := verifyFile(ctx, dir, ref); err != nil {
			return err
		}
		if statErr == nil {
			r.mu.Lock()
			r.verified[name] = stamp{info: now, size: now.Size(), time: now.ModTime()}
			r.mu.Unlock()
		}
	}
	return nil
}
