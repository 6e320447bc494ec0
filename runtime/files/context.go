package files

import (
	"context"
	"io"
)

// WithContext returns a reader of r that fails once ctx has ended, for long copies.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context // lives as long as one copy, since io.Reader takes none
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
