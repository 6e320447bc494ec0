//go:build !unix

package library

// alterable says who besides this user may change a file or folder; here the
// permissions of the user's folders are left to the system.
func alterable(string) string { return "" }
