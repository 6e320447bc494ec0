package dl

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

// ucan_open loads a shared object for the whole process and for good, and
// returns its path, or NULL with the loader's reason in *reason.
static const char *ucan_open(const char *name, const char **reason) {
	void *handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
	struct link_map *map = NULL;
	if (!handle) {
		*reason = dlerror();
		return NULL;
	}
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name) return map->l_name;
	return "";
}
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// Supported says whether Open can load anything on this system.
const Supported = true

// Open loads the shared object of the given name (looked up as the loader
// does) or path, with its symbols visible to what is loaded later, and returns
// the path it came from. It is never unloaded.
func Open(name string) (path string, err error) {
	// dlerror belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var reason *C.char
	p := C.ucan_open(c, &reason) //nolint:gocritic // it sees the check that cgo generates
	if p == nil {
		if reason == nil {
			return "", errors.New("the loader gives no reason")
		}
		return "", errors.New(C.GoString(reason))
	}
	return C.GoString(p), nil
}
