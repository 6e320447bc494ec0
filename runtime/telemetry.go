package runtime

import (
	"fmt"
	"os"
)

// telemetryVariable is read once by onnxruntime, when it is initialised. From
// 1.29 on, a library without it writes an identifier of the device and a
// database into the user's cache folder and opens connections; the call of the
// C API comes too late to prevent that.
const telemetryVariable = "ORT_DISABLE_TELEMETRY"

// disableTelemetry keeps the library that is loaded next, and those of child
// processes, from collecting and sending anything. With cgo, os.Setenv sets
// the C environment too. What the user's environment says does not matter:
// nothing here is ever sent.
func disableTelemetry() error {
	if err := os.Setenv(telemetryVariable, "1"); err != nil {
		return fmt.Errorf("switch off onnxruntime's telemetry: %w", err)
	}
	return nil
}
