package runtime

import (
	"os"

	"ucan/runtime/internal/dl"
)

// mapFrom is the size of a block from which its memory goes back to the system when onnxruntime
// frees it.
const mapFrom = 1 << 20

// ReturnMemory has the C library give large blocks back to the system when onnxruntime frees them.
// By default glibc keeps blocks of up to 32 MiB after a while, and a model of a few megabytes that
// was tried with several batches then holds some hundred megabytes of holes. It is a setting of
// the whole process, so it is the program's to make: call it first in main. A setting in the
// environment (MALLOC_MMAP_THRESHOLD_) wins.
func ReturnMemory() {
	if os.Getenv("MALLOC_MMAP_THRESHOLD_") == "" {
		dl.MapLargeBlocks(mapFrom)
	}
}
