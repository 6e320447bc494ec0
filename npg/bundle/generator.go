package bundle

import (
	"context"
	"encoding/hex"
	"fmt"

	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
)

// Stored returns the generator of a bundle whose fields are stored in it: kinds pattern, dataset
// and per-input. Kind certification needs a runtime: see package infer.
func (b *Bundle) Stored() (npg.Generator, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	t, err := b.Transform()
	if err != nil {
		return nil, err
	}
	switch b.Kind {
	case npg.KindPattern, npg.KindDataset:
		parameters, err := b.Limits.Apply(t, b.Dim(), b.Mu, b.Sigma)
		if err != nil {
			return nil, err
		}
		return npg.NewField(parameters), nil
	case npg.KindPerInput:
		return b.table(t)
	}
	return nil, fmt.Errorf("kind %q runs networks, and holds no fields", b.Kind)
}

// Table is the generator of fields that were stored for each input: [smooth.Pinned].
type Table struct{ fields map[[32]byte]npg.Parameters }

var _ npg.Generator = Table{}

func (b *Bundle) table(t *basis.Transform) (Table, error) {
	out := Table{fields: make(map[[32]byte]npg.Parameters, len(b.Inputs))}
	for _, in := range b.Inputs {
		parameters, err := b.Limits.Apply(t, b.Dim(), in.Mu, in.Sigma)
		if err != nil {
			return Table{}, fmt.Errorf("input %s: %w", hex.EncodeToString(in.SHA256[:8]), err)
		}
		out.fields[in.SHA256] = parameters
	}
	return out, nil
}

// Parameters returns the fields stored for x, found by its hash.
func (t Table) Parameters(_ context.Context, x []float32) (npg.Parameters, error) {
	id := smooth.InputID(x)
	p, ok := t.fields[id]
	if !ok {
		return npg.Parameters{}, fmt.Errorf("the generator holds no fields for the input with the hash %s…; run \"ucan train npg --kind per-input\" on these data", hex.EncodeToString(id[:8]))
	}
	return p, nil
}

// Guarantee returns [smooth.Pinned].
func (Table) Guarantee() smooth.Guarantee { return smooth.Pinned }
