package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

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

// openStore opens the store that the options name; with create it is made when it does not exist.
func (a *app) openStore(ctx context.Context, o storeOptions, create bool) (*store.Store, error) {
	name, err := store.ParseName(o.store)
	if errors.Is(err, store.ErrName) {
		return nil, usagef("read --store: %w", err)
	}
	if err != nil {
		return nil, err
	}
	how := store.DefaultOptions()
	how.Create = create
	s, err := store.Open(ctx, name, how)
	if err != nil {
		return nil, err
	}
	a.onClose(s.Close)
	return s, nil
}

// openQueue opens the store and its queue.
func (a *app) openQueue(ctx context.Context, o storeOptions, create bool) (*queue.Queue, error) {
	s, err := a.openStore(ctx, o, create)
	if err != nil {
		return nil, err
	}
	return queue.New(s, a.log), nil
}

// findRun opens the store and finds the run that the options name.
func (a *app) findRun(ctx context.Context, o *zooRunOptions) (*queue.Queue, *store.Run, error) {
	q, err := a.openQueue(ctx, o.storeOptions, false)
	if err != nil {
		return nil, nil, err
	}
	run, err := q.Store().Find(ctx, o.run)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, usage(err)
	}
	return q, run, err
}
