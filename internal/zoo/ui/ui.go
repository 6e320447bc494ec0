// Package ui shows the queue of a store in a browser, with River's own user interface.
package ui

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"riverqueue.com/riverui"
	"riverqueue.com/riverui/uiendpoints"

	"ucan/internal/zoo/store"
)

// Serve shows the queue at the address until ctx ends; ready is told the URL. A port alone is
// reached from this machine only.
func Serve(ctx context.Context, s *store.Store, address string, log *slog.Logger, ready func(url string)) error {
	bundle, err := endpoints(s, log)
	if err != nil {
		return fmt.Errorf("make the user interface: %w", err)
	}
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: bundle, Logger: log})
	if err != nil {
		return fmt.Errorf("make the user interface: %w", err)
	}
	if err = handler.Start(ctx); err != nil {
		return fmt.Errorf("start the user interface: %w", err)
	}
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("show the user interface at %q: %w; choose another --listen address", address, err)
	}
	host := listener.Addr().String()
	server := &http.Server{Handler: guard(handler, host), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	ready("http://" + host + "/")
	if err = server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("show the user interface: %w", err)
	}
	return nil
}

func endpoints(s *store.Store, log *slog.Logger) (uiendpoints.Bundle, error) {
	config := &river.Config{Logger: log}
	if pool := s.Pool(); pool != nil {
		client, err := river.NewClient(riverpgxv5.New(pool), config)
		if err != nil {
			return nil, err
		}
		return riverui.NewEndpoints[pgx.Tx](client, nil), nil
	}
	client, err := river.NewClient(riversqlite.New(s.DB()), config)
	if err != nil {
		return nil, err
	}
	return riverui.NewEndpoints[*sql.Tx](client, nil), nil
}

// guard refuses what would harm a run, and requests that a page of another site makes the browser
// send, by name (DNS rebinding) or by form.
func guard(next http.Handler, listening string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local(listening) && !local(r.Host) {
			http.Error(w, "this page answers to the name of this machine only", http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
				http.Error(w, "requests of other sites are refused", http.StatusForbidden)
				return
			}
		}
		if strings.HasPrefix(r.URL.Path, "/api/jobs/delete") {
			http.Error(w, "a shard's job is never deleted, since it keeps the shard from being done twice; cancel it instead", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
