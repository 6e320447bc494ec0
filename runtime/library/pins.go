package library

import (
	"fmt"
	"runtime"
)

// pin is one official package: what to ask the package client for, and the
// only bytes that are accepted for it.
type pin struct {
	Package  string // name at the package index
	Client   string // "pip" or "npm"
	Platform string // pip's --platform
	File     string // name of the downloaded file
	Bytes    int64
	SHA256   string
}

// platform is "linux/amd64" and the like.
func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// pins lists the packages of version Pinned for a platform, in order of
// preference. One wheel is named per platform: the one for CPython 3.12, of
// which only the shared library is used, whatever Python there is.
//
// The hashes were read from the packages as the official index serves them
// (pip download, npm pack) when the version was pinned.
func pins(platform string, gpu bool) ([]pin, error) {
	var list []pin
	if gpu {
		list = gpuPins(platform)
	} else {
		list = cpuPins(platform)
	}
	if len(list) == 0 {
		kind := ""
		if gpu {
			kind = " with CUDA"
		}
		return nil, fmt.Errorf("there is no official onnxruntime %s build%s for %s; build one and give its path by %s or `ucan runtime install --from FILE`",
			Pinned, kind, platform, Environment)
	}
	return list, nil
}

func cpuPins(platform string) []pin {
	const name = "onnxruntime"
	node := pin{
		Package: "onnxruntime-node", Client: "npm", File: "onnxruntime-node-1.27.0.tgz",
		Bytes: 100893124, SHA256: "c3779c01c59832f8c03e2c392ac3af10bf08579f1822e8b1c63cc451edb302a2",
	}
	switch platform {
	case "linux/amd64":
		return []pin{{
			name, "pip", "manylinux_2_28_x86_64",
			"onnxruntime-1.27.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
			18658316, "7c65a7438632d55dfbc8a02ee60bd6cf7dd9d1ba05a43d4b851452f32338e194",
		}, node}
	case "linux/arm64":
		return []pin{{
			name, "pip", "manylinux_2_28_aarch64",
			"onnxruntime-1.27.0-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
			16438140, "c6fddce0539a4898c7bef35b052ffd37935b2190e35488eab99ce91887743ea1",
		}, node}
	case "darwin/arm64":
		return []pin{{
			name, "pip", "macosx_14_0_arm64",
			"onnxruntime-1.27.0-cp312-cp312-macosx_14_0_arm64.whl",
			18433506, "a14c2ce45312def86b77aea651f46565e45960cf5f0721bfdff449165086ab76",
		}, node}
	case "windows/amd64":
		return []pin{{
			name, "pip", "win_amd64",
			"onnxruntime-1.27.0-cp312-cp312-win_amd64.whl",
			13358769, "20c321cf187ba496e648acf6b4cf90b4d398b0d17c2a77fdaeba365b908cc1c1",
		}, node}
	case "windows/arm64":
		return []pin{{
			name, "pip", "win_arm64",
			"onnxruntime-1.27.0-cp312-cp312-win_arm64.whl",
			13104440, "d0d1f68868e2ef30ef70998ba9bbbc5c305e9b17041e3936751c1b8aa6aade06",
		}, node}
	}
	return nil
}

func gpuPins(platform string) []pin {
	const name = "onnxruntime-gpu"
	switch platform {
	case "linux/amd64":
		return []pin{{
			name, "pip", "manylinux_2_28_x86_64",
			"onnxruntime_gpu-1.27.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
			220305746, "b2b8d6afabf3c23c2c698639a16388816dc7298f388a9ddddf504b283990ea01",
		}}
	case "windows/amd64":
		return []pin{{
			name, "pip", "win_amd64",
			"onnxruntime_gpu-1.27.0-cp312-cp312-win_amd64.whl",
			213631079, "9f92c12578433cffa6017ec843f4b4c500b9ebaf65f6c4497ddec01af5cd5396",
		}}
	}
	return nil
}

// pinnedFile returns the pin of a package file by its name, for files that
// users bring themselves.
func pinnedFile(name string) (pin, bool) {
	for _, p := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		for _, x := range append(cpuPins(p), gpuPins(p)...) {
			if x.File == name {
				return x, true
			}
		}
	}
	return pin{}, false
}
