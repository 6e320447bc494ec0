package data

import (
	"crypto/sha256"
	"math/bits"

	"ucan/smooth/stream"
)

// below maps a random word to 0 … n−1, each with a probability off by less than n·2⁻⁶⁴.
func below(word, n uint64) uint64 {
	hi, _ := bits.Mul64(word, n)
	return hi
}

// Names of what is drawn beside noise. Noise is keyed by an image's own hash.
var (
	orderTag   = sha256.Sum256([]byte("ucan/train/order"))
	splitTag   = sha256.Sum256([]byte("ucan/train/split"))
	augmentTag = sha256.Sum256([]byte("ucan/train/augment"))
)

// shuffle fills order with a permutation that depends on seed and epoch only.
func shuffle(order []int, seed uint64, epoch int) {
	source := stream.New(seed, orderTag, stream.Train).Source(uint64(epoch))
	permute(order, &source)
}

// permute fills order with a random permutation of 0 … len−1 (Fisher–Yates).
func permute(order []int, source *stream.Source) {
	for i := range order {
		order[i] = i
	}
	for i := len(order) - 1; i > 0; i-- {
		j := below(source.Uint64(), uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
}
