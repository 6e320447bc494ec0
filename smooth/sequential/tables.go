package sequential

import "sync"

// Tables computes tables of critical numbers and keeps them, so that the inputs
// of a run share them. It is safe for concurrent use; a table asked for by
// several goroutines at once is computed once. Tables are immutable.
//
// A table takes 0.2 to 15 ms and two kilobytes. Levels that depend on the input
// (input-dependent noise) make new tables for every input, so the store is
// bounded: beyond its size the oldest tables are forgotten.
type Tables struct {
	mu    sync.Mutex
	size  int
	byKey map[tableKey]*tableEntry
	order []tableKey // oldest first
}

type tableKey struct {
	p, alpha float64
	schedule Schedule
}

type tableEntry struct {
	once  sync.Once
	table *Table
	err   error
}

// defaultTables is the number of tables kept, about 8 MB.
const defaultTables = 4096

// NewTables returns an empty store.
func NewTables() *Tables {
	return &Tables{size: defaultTables, byKey: map[tableKey]*tableEntry{}}
}

// Get returns the table of the hypothesis p_A ≤ p at error probability alpha.
// p is in [1/2, 1), rounded up by whoever solved for it; alpha in [MinAlpha, 1).
func (t *Tables) Get(p, alpha float64, s Schedule) (*Table, error) {
	key := tableKey{p, alpha, s}
	t.mu.Lock()
	e, ok := t.byKey[key]
	if !ok {
		e = &tableEntry{}
		if len(t.order) >= t.size {
			delete(t.byKey, t.order[0])
			t.order = t.order[1:]
		}
		t.byKey[key] = e
		t.order = append(t.order, key)
	}
	t.mu.Unlock()
	e.once.Do(func() { e.table, e.err = newTable(p, alpha, s) })
	return e.table, e.err
}
