// Package export writes the certificates of a zoo's run as files: one table, one line of JSON a
// certificate, Parquet, and the list of what was refused.
package export

import (
	"context"
	"iter"

	"ucan/internal/zoo/matrix"
)

// Record is one stored certificate with the cell that it belongs to.
type Record struct {
	Model, Dataset, Noise string
	// Index is the input's index in the whole source.
	Index int64
	// Certificate is the certificate's JSON line, without the newline.
	Certificate []byte
}

// Source is a store as this package reads it.
type Source interface {
	// Run returns a stored run by its ID or an unambiguous beginning of it; "" means the only run
	// there is.
	Run(ctx context.Context, id string) (*matrix.Run, error)
	// Records gives the run's certificates sorted by (model, dataset, noise, index), text by its
	// bytes. It ends with the first error.
	Records(ctx context.Context, run string) iter.Seq2[Record, error]
	// Field returns the .npy file of a noise field that a certificate of the run names by its hash.
	Field(ctx context.Context, run, sha256 string) ([]byte, error)
}
