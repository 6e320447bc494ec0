//go:build !unix

package files

// nonblock is nothing where opening a file never waits.
const nonblock = 0
