package autodiff

import (
	"context"
	"maps"
	"slices"

	"ucan/runtime/autodiff/internal/ortcpu"
)

// TakesGroups tells the tests what the library at hand computes in blocks.
func TakesGroups(ctx context.Context, eng Engine) (bool, error) {
	l, err := ortcpu.ReadLayout(ctx, minOpset, eng.Eval)
	return l.Groups, err
}

// Operators returns the operators that have a rule, sorted.
func Operators() []string {
	all := rules()
	maps.DeleteFunc(all, func(_ string, r Rule) bool { return r == nil })
	return slices.Sorted(maps.Keys(all))
}
