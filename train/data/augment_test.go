package data_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ucan/train/data"
)

// TestAugment: every augmented image is a shifted, perhaps mirrored one, and all shifts occur.
func TestAugment(t *testing.T) {
	set := load(t, none(), 4)
	for _, reflect := range []bool{false, true} {
		c := feedConfig()
		c.Augment.Reflect, c.Draws = reflect, 1
		f := open(t, set, c)
		seen := make(map[[3]int]int)
		for epoch := range 150 {
			b := take(t, f, epoch, 0)
			for r, index := range b.Indices {
				item, _ := none().At(context.Background(), index)
				found := false
				for dy := -2; dy <= 2 && !found; dy++ {
					for dx := -2; dx <= 2 && !found; dx++ {
						for flip := 0; flip < 2 && !found; flip++ {
							if found = slices.Equal(shifted(item.X, dy, dx, flip == 1, reflect), b.Clean[32*r:32*r+32]); found {
								seen[[3]int{dy, dx, flip}]++
							}
						}
					}
				}
				if !found {
					t.Fatalf("reflect %v: image %d became %v", reflect, index, b.Clean[32*r:32*r+32])
				}
			}
		}
		want := 50
		if reflect {
			want = 30 // mirrored borders make some shifts of a mirrored row equal to others of the row itself
		}
		if len(seen) != want {
			t.Errorf("reflect %v: %d of %d variations occurred", reflect, len(seen), want)
		}
	}
	if err := (data.Augment{Pad: 4}).Validate([]int{2, 4, 4}); !errors.Is(err, data.ErrData) {
		t.Errorf("padding as wide as the image: %v", err)
	}
	if err := (data.Augment{Flip: true}).Validate([]int{5}); !errors.Is(err, data.ErrData) {
		t.Errorf("flipping a row: %v", err)
	}
}

// shifted is a direct definition of the augmentation.
func shifted(x []float32, dy, dx int, flip, reflect bool) []float32 {
	out := make([]float32, 32)
	at := func(i int) (int, bool) {
		if i >= 0 && i < 4 {
			return i, true
		}
		if !reflect {
			return 0, false
		}
		if i < 0 {
			return -i, true
		}
		return 6 - i, true
	}
	for c := range 2 {
		for y := range 4 {
			for col := range 4 {
				from := col
				if flip {
					from = 3 - col
				}
				sy, okY := at(y + dy)
				sx, okX := at(from + dx)
				if okY && okX {
					out[16*c+4*y+col] = x[16*c+4*sy+sx]
				}
			}
		}
	}
	return out
}
