package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// Cache keeps items fetched from a depot in a folder of limited size that all processes of a
// machine may share. An item is fetched once; the least recently used ones make room for new
// ones. A kill leaves a temporary folder at most, which a later fetch removes.
type Cache struct {
	dir   string
	limit int64
}

// OpenCache opens the cache in dir of at most limit bytes, 0 for no limit.
func OpenCache(dir string, limit int64) (*Cache, error) {
	if limit < 0 {
		return nil, fmt.Errorf("open the cache %q: its limit is %d bytes; give 0 for none, or more", dir, limit)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the cache: %w; name a folder that can be written", err)
	}
	return &Cache{dir: dir, limit: limit}, nil
}

// lockPoll is how often a lock that another process has is tried again.
const lockPoll = 50 * time.Millisecond

// entry are the names of one item in the cache.
type entry struct{ folder, lock string }

func (c *Cache) entry(hash string) entry {
	return entry{folder: filepath.Join(c.dir, "item-"+hash), lock: filepath.Join(c.dir, "item-"+hash+".lock")}
}

// get returns an item's folder, fetched if need be. Its shared lock keeps it from being removed.
func (c *Cache) get(ctx context.Context, item Item, depot Depot) (folder string, lock *flock.Flock, err error) {
	e := c.entry(item.Hash())
	lock = flock.New(e.lock)
	for {
		if _, err := lock.TryRLockContext(ctx, lockPoll); err != nil {
			return "", nil, fmt.Errorf("lock the cache entry %q: %w", e.lock, err)
		}
		if _, err := os.Stat(filepath.Join(e.folder, doneFile)); err == nil {
			now := time.Now()
			_ = os.Chtimes(e.lock, now, now) // the order of use is only for evictions
			return e.folder, lock, nil
		}
		if err := lock.Unlock(); err != nil {
			return "", nil, err
		}
		if err := c.fill(ctx, e, item, depot); err != nil {
			return "", nil, err
		}
	}
}

// drop removes a damaged entry, if nobody holds it.
func (c *Cache) drop(item Item) error {
	e := c.entry(item.Hash())
	lock := flock.New(e.lock)
	if ok, err := lock.TryLock(); err != nil || !ok {
		return errors.Join(err, fmt.Errorf("the cache entry %q is damaged and in use; stop the other workers and remove it", e.folder))
	}
	return errors.Join(os.RemoveAll(e.folder), lock.Unlock())
}

// doneFile marks a complete entry and holds its size.
const doneFile = ".complete"

// fill fetches an item, unless another process did so meanwhile.
func (c *Cache) fill(ctx context.Context, e entry, item Item, depot Depot) (err error) {
	if err = c.makeRoom(ctx, item.Bytes()); err != nil {
		return err
	}
	lock := flock.New(e.lock)
	if _, err = lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("lock the cache entry %q: %w", e.lock, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if _, statErr := os.Stat(filepath.Join(e.folder, doneFile)); statErr == nil {
		return nil
	}
	tmp, err := atomicfile.MakeFolder(c.dir, "tmp-", 0o777)
	if err != nil {
		return fmt.Errorf("fetch into the cache: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	for _, r := range item.Files {
		if err := fetchFile(ctx, depot, tmp, r); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteBytes(filepath.Join(tmp, doneFile), []byte(strconv.FormatInt(item.Bytes(), 10))); err != nil {
		return err
	}
	if err := os.RemoveAll(e.folder); err != nil { // an incomplete one can only be damaged by hand
		return fmt.Errorf("fetch into the cache: %w", err)
	}
	if err := os.Rename(tmp, e.folder); err != nil {
		return fmt.Errorf("fetch into the cache: %w", err)
	}
	atomicfile.SyncDir(c.dir)
	return nil
}

func fetchFile(ctx context.Context, depot Depot, dir string, r Ref) (err error) {
	content, err := depot.Open(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	path := filepath.Join(dir, filepath.FromSlash(r.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("fetch %q: %w", r.Name, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error { return copyVerified(ctx, w, content, r) })
}

// resident is an entry of the cache as an eviction sees it.
type resident struct {
	hash  string
	bytes int64
	used  time.Time
}

// makeRoom removes unused entries, the least recently used first, until an item of the size fits.
func (c *Cache) makeRoom(ctx context.Context, need int64) (err error) {
	if c.limit > 0 && need > c.limit {
		return fmt.Errorf("fetch into the cache %q: %d bytes are more than its limit of %d; raise the limit", c.dir, need, c.limit)
	}
	room := flock.New(filepath.Join(c.dir, "room.lock"))
	if _, err = room.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("lock the cache %q: %w", c.dir, err)
	}
	defer func() { err = errors.Join(err, room.Unlock()) }()
	all, total, err := c.residents()
	if err != nil {
		return fmt.Errorf("read the cache %q: %w", c.dir, err)
	}
	for _, r := range all {
		if c.limit == 0 || total+need <= c.limit {
			return nil
		}
		e := c.entry(r.hash)
		lock := flock.New(e.lock)
		if ok, lockErr := lock.TryLock(); lockErr != nil || !ok {
			continue // somebody holds it
		}
		// The lock's file stays: who waits for it must find the same one.
		if err := errors.Join(os.RemoveAll(e.folder), lock.Unlock()); err != nil {
			return fmt.Errorf("make room in the cache: %w", err)
		}
		total -= r.bytes
	}
	if c.limit > 0 && total+need > c.limit {
		return fmt.Errorf("fetch into the cache %q: %d bytes do not fit, and the %d bytes in it are in use; raise its limit of %d", c.dir, need, total, c.limit)
	}
	return nil
}

// staleAfter is the age at which a temporary folder cannot belong to a process that lives.
const staleAfter = 24 * time.Hour

// residents lists the entries, the least recently used first, and removes stale temporary folders.
func (c *Cache) residents() (all []resident, total int64, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, 0, err
	}
	for _, d := range entries {
		path := filepath.Join(c.dir, d.Name())
		if strings.HasPrefix(d.Name(), "tmp-") {
			if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
				_ = os.RemoveAll(path) // another one may do so at the same time
			}
			continue
		}
		hash, ok := strings.CutPrefix(d.Name(), "item-")
		if !ok || !d.IsDir() {
			continue
		}
		r := resident{hash: hash}
		if text, err := files.Read(filepath.Join(path, doneFile), files.MaxRecord); err == nil {
			r.bytes, _ = strconv.ParseInt(string(text), 10, 64) // a damaged one counts nothing and goes first
		}
		if info, err := os.Stat(c.entry(hash).lock); err == nil {
			r.used = info.ModTime()
		}
		all, total = append(all, r), total+r.bytes
	}
	slices.SortFunc(all, func(a, b resident) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.hash, b.hash)) })
	return all, total, nil
}
