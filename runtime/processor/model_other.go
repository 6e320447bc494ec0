//go:build !linux

package processor

import "os"

// modelName returns what the system tells without a system call of its own: Windows'
// PROCESSOR_IDENTIFIER.
func modelName() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
