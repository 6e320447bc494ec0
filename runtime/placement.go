package runtime

import "context"

func (rt *Runtime) checkPlacement(ctx context.Context, model []byte, opts SessionOptions, wanted []Provider) error {
	return nil
}
