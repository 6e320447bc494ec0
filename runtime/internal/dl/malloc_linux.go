package dl

/*
#define _GNU_SOURCE
#include <dlfcn.h>

// M_MMAP_THRESHOLD of glibc; other C libraries have no mallopt, or ignore it.
static int ucan_mmap_threshold(int bytes) {
	int (*mallopt)(int, int) = (int (*)(int, int))dlsym(RTLD_DEFAULT, "mallopt");
	return mallopt ? mallopt(-3, bytes) : 0;
}
*/
import "C"

// MapLargeBlocks has the C library take blocks of at least so many bytes from the system and give
// them back when they are freed. It reports whether the library does so.
func MapLargeBlocks(bytes int) bool { return C.ucan_mmap_threshold(C.int(bytes)) == 1 }
