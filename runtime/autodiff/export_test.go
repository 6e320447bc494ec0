package autodiff

import (
	"context"

	"ucan/runtime/autodiff/internal/ortcpu"
)

// TakesGroups tells the tests what the library at hand computes in blocks.
func TakesGroups(ctx context.Context, eng Engine) (bool, error) {
	l, err := ortcpu.Ask(ctx, minOpset, eng.Eval)
	return l.Groups, err
}
