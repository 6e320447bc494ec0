package runtime_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"ucan/runtime"
)

// dieVariable makes a probing child of these tests die as onnxruntime does on
// some damaged graphs.
const dieVariable = "UCAN_TEST_PROBE_DIES"

func TestMain(m *testing.M) {
	if os.Getenv(dieVariable) != "" && slices.Contains(os.Args[1:], runtime.ProbeArgument) {
		fmt.Fprintln(os.Stderr, "fatal: test")
		os.Exit(134)
	}
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	if d, err := time.ParseDuration(os.Getenv(watchVariable)); err == nil {
		if err := json.NewEncoder(os.Stdout).Encode(watchChild(d)); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
