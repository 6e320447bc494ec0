package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ucan/internal/zoo/artifact"
	"ucan/internal/zoo/queue"
	"ucan/internal/zoo/store"
)

func newZooCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zoo",
		Short: "Certify a matrix of models, data and noise as one durable run",
		Long: `A zoo is a YAML file: models × datasets × noise settings. Its run is kept in a store, a SQLite file at first and
Postgres when many machines work on it. It can be killed, resumed, watched and shared at any time: what was finished is
never lost and never counted twice.`,
		Args: noSuchCommand,
		RunE: needsCommand,
	}
	cmd.AddCommand(
		newZooPlanCommand(a), newZooRunCommand(a), newZooSubmitCommand(a), newZooStatusCommand(a), newZooCancelCommand(a), newZooRetryCommand(a), newZooExportCommand(a), newZooReportCommand(a), newZooUICommand(a),
	)
	return cmd
}

// oneZoo demands the zoo.yaml as the only argument.
func oneZoo(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usagef("read the command line of %q: %d files given; name one zoo.yaml", cmd.CommandPath(), len(args))
}

// openStore opens the store that the settings name; with create it is made when it does not exist.
func (a *app) openStore(ctx context.Context, r *values, create bool) (*store.Store, error) {
	name, err := store.ParseName(r.text("zoo.store"))
	if errors.Is(err, store.ErrName) {
		return nil, usagef("read --store: %w", err)
	}
	if err != nil {
		return nil, err
	}
	o := store.DefaultOptions()
	o.Create = create
	s, err := store.Open(ctx, name, o)
	if err != nil {
		return nil, err
	}
	a.onClose(s.Close)
	return s, nil
}

// openQueue opens the store and its queue.
func (a *app) openQueue(ctx context.Context, r *values, create bool) (*queue.Queue, error) {
	s, err := a.openStore(ctx, r, create)
	if err != nil {
		return nil, err
	}
	return queue.New(s, a.log), nil
}

// findRun opens the store and finds the run that the settings name.
func (a *app) findRun(ctx context.Context, r *values) (*queue.Queue, *store.Run, error) {
	q, err := a.openQueue(ctx, r, false)
	if err != nil {
		return nil, nil, err
	}
	run, err := q.Store().Find(ctx, r.text("zoo.run"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, usage(err)
	}
	return q, run, err
}

// depot opens the place where all machines find artifacts, nil when none is named.
func (a *app) depot(r *values) (artifact.Depot, error) {
	location := r.text("zoo.artifacts")
	if location == "" {
		return nil, nil
	}
	depot, err := artifact.OpenDepot(location)
	if err != nil {
		return nil, usagef("read --artifacts: %w", err)
	}
	return depot, nil
}

// artifacts finds and verifies the files of runs.
func (a *app) artifacts(r *values) (*artifact.Resolver, error) {
	depot, err := a.depot(r)
	if err != nil || depot == nil {
		if err == nil {
			return artifact.NewResolver(nil, nil)
		}
		return nil, err
	}
	folder := r.text("zoo.cache")
	if folder == "" {
		base, cacheErr := os.UserCacheDir()
		if cacheErr != nil {
			return nil, usagef("find the user's cache folder: %w; name one with --artifact-cache", cacheErr)
		}
		folder = filepath.Join(base, "ucan", "artifacts")
	}
	cache, err := artifact.OpenCache(folder, r.int("zoo.cache_size", 0, 1<<40)<<20)
	if err != nil {
		return nil, err
	}
	return artifact.NewResolver(depot, cache)
}
