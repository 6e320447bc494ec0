package zootest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Start starts a server for one test, and skips the test where none can be started.
func Start(t testing.TB) *Postgres {
	t.Helper()
	p, err := StartPostgres(context.Background()) // it ends in the test's clean-up, when its context has ended
	orSkip(t, err)
	t.Cleanup(func() {
		if closeErr := p.Close(); closeErr != nil {
			t.Error(closeErr)
		}
	})
	return p
}

func orSkip(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrNoPostgres) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Shared is one server for all tests of a package. It starts when the first of them needs it. The
// zero value is ready.
type Shared struct {
	mutex     sync.Mutex
	postgres  *Postgres
	databases int
}

// Main runs the tests of a package, then ends the server, and returns the exit code.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	if s.postgres != nil {
		if err := s.postgres.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return code
}

// Database is the URL of an empty database. It skips the test where no server can be started.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.postgres == nil {
		p, err := StartPostgres(context.Background()) // it outlives the test
		orSkip(t, err)
		s.postgres = p
	}
	s.databases++
	url, err := s.postgres.Database(t.Context(), fmt.Sprintf("test%d", s.databases))
	if err != nil {
		t.Fatal(err)
	}
	return url
}
