package models_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/runtimetest"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
)

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no data: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// images are rows of pixels in [0,1], CHW, with their labels.
type images struct {
	shape  []int
	x      []float32
	labels []int32
}

func mnist(t testing.TB) images {
	dir := filepath.Join(shared.Path(t), "data", "mnist")
	px := gunzip(t, filepath.Join(dir, "t10k-images-idx3-ubyte.gz"))
	n := int(binary.BigEndian.Uint32(px[4:]))
	im := images{shape: []int{1, 28, 28}, x: make([]float32, n*784), labels: make([]int32, n)}
	for i, v := range px[16:] {
		im.x[i] = float32(v) / 255
	}
	for i, v := range gunzip(t, filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"))[8:] {
		im.labels[i] = int32(v)
	}
	return im
}

func cifar(t testing.TB) images {
	b := gunzip(t, filepath.Join(shared.Path(t), "data", "cifar10", "test_batch.bin.gz"))
	const row = 1 + 3072
	n := len(b) / row
	im := images{shape: []int{3, 32, 32}, x: make([]float32, n*3072), labels: make([]int32, n)}
	for i := range n {
		im.labels[i] = int32(b[i*row])
		for j, v := range b[i*row+1 : (i+1)*row] {
			im.x[i*3072+j] = float32(v) / 255
		}
	}
	return im
}

// correct classifies all images at the given batch and counts the right ones.
func correct(t testing.TB, m *models.Model, im images, batch int) int {
	t.Helper()
	c, err := m.Classifier(context.Background(), batch, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	d, right := m.Dim(), 0
	for at := 0; at < len(im.labels); at += batch {
		rows := min(batch, len(im.labels)-at)
		copy(c.Input(), im.x[at*d:(at+rows)*d])
		labels, err := c.Classify(context.Background(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range labels {
			if l == im.labels[at+i] {
				right++
			}
		}
	}
	return right
}

func input(mean, std []float64) models.Declaration {
	return models.Declaration{Input: models.InputDeclaration{Mean: mean, Std: std}}
}

// TestRealModels opens every image model of the manifest and reproduces its accuracy:
// 10,000 MNIST images exactly, 2,000 CIFAR images within 2.
func TestRealModels(t *testing.T) {
	if testing.Short() {
		t.Skip("36,000 images")
	}
	dir := shared.Path(t)
	rt := runtimetest.Open(t)
	cifarMean := []float64{0.4914, 0.4822, 0.4465}
	cifarStd := []float64{0.2471, 0.2435, 0.2616}
	netMean := []float64{0.485, 0.456, 0.406}
	var data = map[string]images{"mnist": mnist(t), "cifar": cifar(t)}
	for _, tt := range []struct {
		file, data string
		declared   models.Declaration
		right, off int
	}{
		{"mnistfc_256x2", "mnist", models.Declaration{}, 9808, 1},
		{"zoo_mnist_8", "mnist", models.Declaration{}, 9890, 1},
		{"zoo_mnist_12", "mnist", models.Declaration{}, 9890, 1},
		{"cifar10_resnet_2b", "cifar", input(cifarMean, cifarStd), 1376, 2},
		{"oval21_cifar_base_kw", "cifar", input(netMean, []float64{0.225}), 1165, 2},
		{"oval21_cifar_deep_kw", "cifar", input(netMean, []float64{0.225, 0.225, 0.225}), 1103, 2},
		{"oval21_cifar_wide_kw", "cifar", input(netMean, []float64{0.225, 0.225, 0.225}), 1215, 2},
		{"marabou_cifar10_small", "cifar", models.Declaration{}, 1251, 2},
		{"cifar_biasfield_base", "cifar", input(netMean, []float64{0.229, 0.224, 0.225}), 1604, 2},
		{"cifar10_resnet20_sigma025", "cifar", models.Declaration{}, 1360, 2},
	} {
		t.Run(tt.file, func(t *testing.T) {
			im := data[tt.data]
			m, err := models.Open(context.Background(), rt, filepath.Join(dir, "models", tt.file+".onnx"),
				models.Options{Declared: tt.declared, SourceShape: im.shape, SkipLoadTrial: true})
			if err != nil {
				t.Fatal(err)
			}
			r := m.Report()
			if m.FixedBatch() != 0 || m.Classes() != 10 || !r.Probe.SameDecisions {
				t.Errorf("fixed batch %d, %d classes, probe %+v", m.FixedBatch(), m.Classes(), r.Probe)
			}
			if m.Provider() != runtime.CPU {
				t.Errorf("provider %q", m.Provider())
			}
			got := correct(t, m, im, 64)
			t.Logf("%d of %d right", got, len(im.labels))
			if got < tt.right-tt.off || got > tt.right+tt.off {
				t.Errorf("%d right, the manifest says %d", got, tt.right)
			}
		})
	}
	if live := runtime.Live(); live.Total() != 0 {
		t.Errorf("objects left open: %+v", live)
	}
}

// imagenet reads the 100 crops of the sample: CHW in [0,1], the label from the name.
func imagenet(t testing.TB) images {
	f, err := os.Open(filepath.Join(shared.Path(t), "data", "imagenet_sample", "images224.tar"))
	if err != nil {
		t.Skipf("no data: %v", err)
	}
	defer f.Close()
	im := images{shape: []int{3, 224, 224}}
	const plane = 224 * 224
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return im
		}
		if err != nil {
			t.Fatal(err)
		}
		var label int32
		if _, err = fmt.Sscanf(filepath.Base(h.Name), "%03d_", &label); err != nil {
			continue
		}
		picture, err := jpeg.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 3*plane)
		for i := range plane {
			red, green, blue, _ := picture.At(i%224, i/224).RGBA()
			for c, v := range []uint32{red, green, blue} {
				x[c*plane+i] = float32(v>>8) / 255
			}
		}
		im.x, im.labels = append(im.x, x...), append(im.labels, label)
	}
}

// TestMobileNet: 0.592 on 1,000 pictures, so between 45 and 74 of these 100 (three
// standard errors).
func TestMobileNet(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of inference")
	}
	dir := shared.Path(t)
	half := []float64{0.5, 0.5, 0.5}
	im := imagenet(t)
	m, err := models.Open(context.Background(), runtimetest.Open(t), filepath.Join(dir, "models", "mobilenet_v1_025_224.onnx"),
		models.Options{Declared: input(half, half), SourceShape: im.shape, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	if m.Classes() != 1000 || m.Dim() != 150528 {
		t.Errorf("%d classes, d = %d", m.Classes(), m.Dim())
	}
	got := correct(t, m, im, 10)
	t.Logf("%d of %d right", got, len(im.labels))
	if len(im.labels) != 100 || got < 45 || got > 74 {
		t.Errorf("%d of %d right", got, len(im.labels))
	}
}

// TestUnsmoothable: the files of the manifest that are no classifiers.
func TestUnsmoothable(t *testing.T) {
	dir := shared.Path(t)
	rt := runtimetest.Open(t)
	for file, word := range subtest.Rows(map[string]string{
		"collins_rul_full_20": "regression", "sklearn_randomforest": "sequence",
		"ucan_cifar10_npg_mean": "not one vector of scores", "ucan_cifar10_npg_sigma": "not one vector of scores",
	}) {
		t.Run(file, func(t *testing.T) {
			_, err := models.Open(context.Background(), rt, filepath.Join(dir, "models", file+".onnx"), models.Options{})
			var refusal *models.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v; want a refusal that says %q", file, err, word)
			}
		})
	}
	// A classifier on data of another size, both shapes named.
	_, err := models.Open(context.Background(), rt, filepath.Join(dir, "models", "zoo_mnist_12.onnx"), models.Options{SourceShape: []int{3, 32, 32}})
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "[1,28,28]") || !strings.Contains(err.Error(), "[3,32,32]") {
		t.Errorf("%v; want a refusal that names both shapes", err)
	}
}
