package library

import (
	"cmp"
	"fmt"
	"runtime"
)

// pin is one official package: what to ask the package client for, and the
// only bytes that are accepted for it. Not every package is released for every
// version, so each pin has a version of its own.
type pin struct {
	Package  string // name at the package index
	Version  string
	Client   string // "pip" or "npm"
	Platform string // pip's --platform
	File     string // name of the downloaded file
	Bytes    int64
	SHA256   string
}

// platform is "linux/amd64" and the like.
func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// platforms lists those that official packages exist for.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}

// pins lists the packages for a platform, in order of preference. One wheel is
// named per platform: the one for CPython 3.12, of which only the shared
// library is used, whatever Python there is.
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
		return nil, fmt.Errorf("there is no official onnxruntime build%s for %s; build one of version %s to below %s and give its path by %s or `ucan runtime install --from FILE`",
			kind, platform, Oldest, Below, Environment)
	}
	return list, nil
}

// wheel is a pinned wheel of one platform.
type wheel struct {
	platform string
	tag      string // of the file's name
	pip      string // pip's name for the platform, "" where that is the tag
	bytes    int64
	sha256   string
}

// wheelPins returns the pin of the platform's wheel in a list; file is the beginning of its name.
func wheelPins(name, version, file, platform string, list []wheel) []pin {
	for _, w := range list {
		if w.platform == platform {
			return []pin{{
				Package: name, Version: version, Client: "pip", Platform: cmp.Or(w.pip, w.tag),
				File: file + "-" + w.tag + ".whl", Bytes: w.bytes, SHA256: w.sha256,
			}}
		}
	}
	return nil
}

func cpuPins(platform string) []pin {
	list := wheelPins("onnxruntime", Pinned, "onnxruntime-"+Pinned+"-cp312-cp312", platform, []wheel{
		{"linux/amd64", "manylinux_2_28_x86_64", "", 27780211, "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8"},
		{"linux/arm64", "manylinux_2_28_aarch64", "", 23196724, "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054"},
		{"darwin/arm64", "macosx_14_0_arm64", "", 22519308, "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e"},
		{"windows/amd64", "win_amd64", "", 16698767, "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40"},
		{"windows/arm64", "win_arm64", "", 16030610, "64d394c69d561af3efd4d4f49dcac8f11d0ce135a20701c16d53b74056cd4cf8"},
	})
	if len(list) == 0 {
		return nil
	}
	return append(list, pin{ // the same for all platforms
		Package: "onnxruntime-node", Version: "1.30.0", Client: "npm", File: "onnxruntime-node-1.30.0.tgz",
		Bytes: 113507888, SHA256: "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75",
	})
}

func gpuPins(platform string) []pin {
	const version = "1.31.1"
	return wheelPins("onnxruntime-gpu", version, "onnxruntime_gpu-"+version+"-cp312-cp312", platform, []wheel{
		{"linux/amd64", "manylinux_2_28_x86_64", "", 255569273, "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7"},
		{"windows/amd64", "win_amd64", "", 168098228, "2bb1e9373baba88f6415257f5b6a589d23e23c16004f7d89adf4344eada5749e"},
	})
}

// pinnedFile returns the pin of a package file by its name, for files that
// users bring themselves.
func pinnedFile(name string) (pin, bool) {
	for _, p := range platforms() {
		for _, x := range append(cpuPins(p), gpuPins(p)...) {
			if x.File == name {
				return x, true
			}
		}
	}
	return pin{}, false
}
