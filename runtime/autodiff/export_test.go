package autodiff

import "context"

// TakesGroups tells the tests what the library at hand computes in blocks.
func TakesGroups(ctx context.Context, eng Engine) (bool, error) {
	block, err := providerBlock(ctx, eng)
	if err != nil || block == 1 {
		return false, err
	}
	return takesGroups(ctx, eng, block)
}
