package processor

import (
	"io"
	"os"
	"strings"
)

// maxCPUInfo is enough for the first processor of any machine.
const maxCPUInfo = 64 << 10

// modelName reads /proc/cpuinfo: "model name" on x86, implementer and part on Arm, whose processors
// have no names there.
func modelName() string {
	f, err := os.Open("/proc/cpuinfo") //nolint:forbidigo // a file of the system, which ends
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxCPUInfo))
	if err != nil {
		return ""
	}
	return parseCPUInfo(string(text))
}

func parseCPUInfo(text string) string {
	var implementer string
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			return value
		case "CPU implementer":
			implementer = value
		case "CPU part":
			return "implementer " + implementer + " part " + value
		}
	}
	return ""
}
