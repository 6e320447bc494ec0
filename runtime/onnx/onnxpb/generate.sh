#!/bin/sh
# Regenerates onnx-ml.pb.go from onnx-ml.proto.
#
# onnx-ml.proto is the unchanged file of the same name in the Python package
# "onnx" 1.23.2 (Apache-2.0). To update it, install a newer package and copy
# onnx/onnx-ml.proto from it.
#
# Needs protoc (Debian: protobuf-compiler) and, in PATH or GOBIN,
#   go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
set -eu
cd "$(dirname "$0")"
PATH="${GOBIN:-$(go env GOPATH)/bin}:$PATH"
export PATH
protoc --proto_path=. --go_out=. --go_opt=paths=source_relative \
	--go_opt=Monnx-ml.proto='ucan/runtime/onnx/onnxpb;onnxpb' onnx-ml.proto
{
	echo '// SPDX-License-Identifier: Apache-2.0'
	echo '// Copyright (c) ONNX Project Contributors'
	echo
	cat onnx-ml.pb.go
} >onnx-ml.pb.go.tmp
# protoc's own version differs between distributions; leave it out, so that
# the file only changes when the schema or the Go generator does.
sed -e '/^\/\/ 	protoc  *v/d' -e '/^\/\/ 	protoc *(/d' onnx-ml.pb.go.tmp >onnx-ml.pb.go
rm onnx-ml.pb.go.tmp
gofmt -w onnx-ml.pb.go
