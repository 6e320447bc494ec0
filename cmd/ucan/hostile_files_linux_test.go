package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ucan/runtime/runtimetest"
)

// field is a length-delimited field of a protobuf message, varint one that is a varint.
func field(n int, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n<<3|2)), uint64(len(body))), body...)
}

func varint(n int, v int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n<<3)), uint64(v))
}

func word(n int, s string) []byte { return field(n, []byte(s)) }

// graph is a model of the nodes and what else belongs to its graph: x float[N,4] → y float[N,3].
func graph(parts ...[]byte) []byte {
	value := func(name string, width int64) []byte {
		return bytes.Join([][]byte{word(1, name), field(2, field(1, varint(1, 1), field(2, field(1, word(2, "N")), field(1, varint(1, width)))))}, nil)
	}
	g := bytes.Join(parts, nil)
	return bytes.Join([][]byte{varint(1, 8), field(7, g, word(2, "g"), field(11, value("x", 4)), field(12, value("y", 3))), field(8, varint(2, 17))}, nil)
}

func node(op string, inputs []string, output string, more ...[]byte) []byte {
	var b [][]byte
	for _, in := range inputs {
		b = append(b, word(1, in))
	}
	return field(1, append(append(b, word(2, output), word(4, op)), more...)...)
}

// tensor is an initialiser that claims the dimensions and holds so many bytes.
func tensor(name string, kind int64, held int, dims ...int64) []byte {
	var b [][]byte
	for _, d := range dims {
		b = append(b, varint(1, d))
	}
	return field(5, append(b, varint(2, kind), word(8, name), field(9, make([]byte, held)))...)
}

func (w *hostileFiles) models() {
	whole, err := os.ReadFile(w.model)
	if err != nil {
		w.t.Fatal(err)
	}
	endless := runtimetest.Endless(w.t, runtimetest.Nonzero)
	for i := range 110 {
		w.inspect(fmt.Sprintf("damaged model %d", i), w.damaged(whole))
	}
	for i := range 40 {
		w.inspect(fmt.Sprintf("damaged loop %d", i), w.damaged(endless))
	}
	if os.Getenv("UCAN_LONG") != "" { // its first trial takes at least ten seconds of processor time
		w.inspect("endless for noise", endless)
	}
	weights := tensor("w", 1, 48, 4, 3)
	last := node("MatMul", []string{"x", "w"}, "y")
	for _, dims := range [][]int64{{1 << 40, 1 << 40}, {-1, 3}, {-1 << 63, 3}, {1 << 62, 4}, {0, 3}, {1 << 31, 1 << 31, 4}, {4, 3, 0}} {
		w.inspect(fmt.Sprintf("weights of %v", dims), graph(tensor("w", 1, 48, dims...), last))
	}
	for _, kind := range []int64{0, 2, 8, 16, 99, -1} {
		w.inspect(fmt.Sprintf("weights of type %d", kind), graph(tensor("w", kind, 48, 4, 3), last))
	}
	for _, op := range []string{"ConstantOfShape", "Expand", "Tile", "Reshape", "RandomNormal", "Range", "EyeLike", "Upsample", "Resize", "Pad"} {
		for _, size := range []int64{1 << 36, -1 << 40} {
			shape := field(5, varint(1, 2), varint(2, 7), word(8, "s"), varint(7, size), varint(7, 4))
			w.inspect(fmt.Sprintf("%s to %d", op, size), graph(shape, weights, node(op, []string{"x", "s"}, "huge"), node("MatMul", []string{"huge", "w"}, "y")))
			w.inspect(fmt.Sprintf("constant %s to %d", op, size), graph(shape, weights, node(op, []string{"s"}, "huge"), node("MatMul", []string{"huge", "w"}, "y")))
		}
	}
	w.inspect("nodes in a circle", graph(weights, node("Relu", []string{"b"}, "a"), node("Relu", []string{"a"}, "b"), node("MatMul", []string{"a", "w"}, "y")))
	w.inspect("one name twice", graph(weights, node("Relu", []string{"x"}, "a"), node("Neg", []string{"x"}, "a"), node("MatMul", []string{"a", "w"}, "y")))
	w.inspect("no output", graph(weights, node("Relu", []string{"x"}, "a")))
	w.inspect("a node of itself", graph(weights, node("MatMul", []string{"y", "w"}, "y")))
	for _, depth := range []int{50, 1000, 9000, 20000} {
		inner := node("MatMul", []string{"x", "w"}, "y")
		for range depth {
			inner = node("If", []string{"c"}, "y", field(5, word(1, "then_branch"), varint(20, 5), field(6, inner)))
			if len(inner) > 64<<20 {
				break
			}
		}
		w.inspect(fmt.Sprintf("graphs in graphs, %d deep", depth), graph(weights, inner))
	}
	function := field(25, word(1, "f"), word(10, "d"), word(4, "a"), word(5, "b"), field(7, word(1, "a"), word(2, "b"), word(4, "f"), word(7, "d")))
	w.inspect("a function that calls itself", append(graph(weights, node("f", []string{"x"}, "b", word(7, "d")), node("MatMul", []string{"b", "w"}, "y")), function...))
	var many [][]byte
	for i := range 20_000 {
		many = append(many, node("Relu", []string{"x"}, fmt.Sprintf("v%d", i)))
	}
	w.inspect("20,000 dead nodes", graph(append(many, weights, last)...))
	for _, location := range []string{"/dev/zero", "../../../../etc/passwd", "pipe", ".", "", "\x00", "m.onnx", strings.Repeat("a/", 2000)} {
		external := field(5, varint(1, 4), varint(1, 3), varint(2, 1), word(8, "w"), varint(14, 1),
			field(13, word(1, "location"), word(2, location)), field(13, word(1, "length"), word(2, "48")))
		w.inspect(fmt.Sprintf("weights in %.20q", location), graph(external, last))
	}
	w.add("a sparse model", "inspect", w.sparse("m.onnx", whole, 3<<30))
	w.inspect("zeros", make([]byte, 1<<20))
	w.inspect("a length without end", bytes.Repeat([]byte{0xff}, 1<<16))
	w.add("a bundle that is none", "inspect", filepath.Dir(w.file("npg.yaml", []byte("kind: [\n"))))
}

func (w *hostileFiles) arrays() {
	good := zeroArray("(4, 1, 28, 28)", 4*784)
	for i := range 40 {
		w.predict(fmt.Sprintf("damaged array %d", i), "npy:", "x.npy", w.damaged(good[:200]))
	}
	for _, shape := range []string{"(4611686018427387904, 4)", "(-1, 784)", "(99999999999999999999, 2)", "(0, 784)", "()", "(1, 268435457)", "(4,,4)", "(" + strings.Repeat("1, ", 5000) + ")", "(٣, 784)"} {
		w.predict("shape "+shape[:min(len(shape), 24)], "npy:", "x.npy", zeroArray(shape, 784))
	}
	header := "\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr': '<f4', "
	w.predict("a header of 4 GiB", "npy:", "x.npy", []byte(header))
	w.read("a sparse array", "npy:"+w.sparse("x.npy", zeroArray("(1, 268435456)", 0), 128+1<<30))
	idx := func(dims ...uint32) []byte {
		b := []byte{0, 0, 8, byte(len(dims))}
		for _, d := range dims {
			b = binary.BigEndian.AppendUint32(b, d)
		}
		return append(b, make([]byte, 3*784)...)
	}
	for name, pair := range map[string][2][]byte{
		"sizes that wrap": {idx(1<<31, 1<<16, 1<<16), idx(1 << 31)}, "no pixels": {idx(3, 0, 28), idx(3)},
		"more labels": {idx(3, 28, 28), idx(1 << 30)}, "short": {idx(4, 28, 28), idx(4)}, "empty": {nil, nil},
	} {
		folder := filepath.Dir(w.file("t10k-images-idx3-ubyte", pair[0]))
		w.file("t10k-labels-idx1-ubyte", pair[1])
		w.read("idx: "+name, "mnist:"+folder)
	}
	for _, size := range []int{0, 1, 3072, 3073*2 + 1} {
		w.predict(fmt.Sprintf("cifar of %d bytes", size), "cifar10:", "b.bin", make([]byte, size))
	}
	w.add("digits without end", "predict", "--n", "0", "--model", w.model, "--data", "digits?n=2147483647")
	w.add("an index beyond", "predict", "--n", "0", "--model", w.model, "--data", "digits?n=5", "--skip", "9223372036854775807")
}

func (w *hostileFiles) tables() {
	w.read("a line of 1 GB", "csv:"+w.sparse("t.csv", []byte("a,b\n1,"), 1<<30))
	w.read("a quote of 1 GB", "csv:"+w.sparse("t.csv", []byte("a,b\n1,\""), 1<<30))
	for name, text := range map[string]string{
		"a million columns": strings.Repeat("a,", 1_000_000) + "b\n", "uneven rows": "a,b\n1,2\n1\n", "only a header": "a,b\n", "empty": "",
		"numbers beyond": "1e999999,-1e999999\n", "hexadecimal": "0x1p-2,1_0\n", "words": "a,b\nc,d\n", "zeros": strings.Repeat("\x00", 1000),
		"not a number": "NaN,Inf\n1,2\n", "many labels": "label,a\n" + strings.Repeat("x,1\n", 1000), "quotes": strings.Repeat("\"", 99_999),
	} {
		w.predict("table: "+name, "csv:", "t.csv", []byte(text))
	}
	for i := range 10 {
		w.predict(fmt.Sprintf("damaged table %d", i), "csv:", "t.csv", w.damaged([]byte(strings.Repeat("0.5,0.25,1\n", 50))))
	}
	w.add("a label map of one line", "predict", "--n", "0", "--model", w.model, "--data", "digits?n=1", "--label-map", w.sparse("map", nil, 1<<30))
}

func (w *hostileFiles) archives() {
	picture := encoded(w, func(out io.Writer, img image.Image) error { return png.Encode(out, img) })
	build := func(names []string, content []byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			f, err := z.Create(name)
			if err == nil {
				_, err = f.Write(content)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			w.t.Fatal(err)
		}
		return b.Bytes()
	}
	good := build([]string{"a/1.png", "b/1.png"}, picture)
	for i := range 25 {
		w.predict(fmt.Sprintf("damaged archive %d", i), "zip:", "a.zip", w.damaged(good))
	}
	var many []string
	for i := range 100_000 {
		many = append(many, fmt.Sprintf("%d/%d.png", i%9, i))
	}
	w.predict("100,000 members", "zip:", "a.zip", build(many, []byte("x")))
	w.predict("one name twice", "zip:", "a.zip", build([]string{"a/1.png", "a/1.png"}, picture))
	w.predict("names outside", "zip:", "a.zip", build([]string{"../../../etc/1.png", "/2.png", "c:\\3.png"}, picture))
	w.predict("an image of 300 MB", "zip:", "a.zip", build([]string{"a/1.png"}, make([]byte, 300<<20)))
	w.predict("an array that inflates", "npz:", "a.npz", build([]string{"x.npy", "y.npy"}, append(zeroArray("(99, 784)", 99*784), make([]byte, 64<<20)...)))
	w.predict("not an archive", "npz:", "a.npz", picture)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range 1500 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			w.t.Fatal(err)
		}
	}
	_ = z.Close()
	for _, kind := range []string{"csv:", "npy:", "tar:", "zip:", "cifar10:"} {
		w.predict("1.5 GB in a megabyte as "+kind, kind, "x.gz", packed.Bytes())
	}
	var t bytes.Buffer
	tw := tar.NewWriter(&t)
	if err := tw.WriteHeader(&tar.Header{Name: "a/1.png", Size: int64(len(picture)), Mode: 0o644}); err != nil {
		w.t.Fatal(err)
	}
	_, _ = tw.Write(picture)
	_ = tw.Close()
	for i := range 15 {
		w.predict(fmt.Sprintf("damaged tar %d", i), "tar:", "a.tar", w.damaged(t.Bytes()[:1024]))
	}
	folder := filepath.Dir(w.file("1.png", picture))
	for _, link := range [][2]string{{".", "self"}, {"..", "up"}, {"/", "root"}, {"none", "broken.png"}, {"again", "again"}} {
		if err := os.Symlink(link[0], filepath.Join(folder, link[1])); err != nil {
			w.t.Skip(err)
		}
	}
	w.read("a folder of links", "folder:"+folder)
}

// encoded is a small picture in a format.
func encoded(w *hostileFiles, encode func(io.Writer, image.Image) error) []byte {
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range img.Pix {
		img.Pix[i] = byte(i)
	}
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

func (w *hostileFiles) pictures() {
	in := func(name, file string, content []byte) {
		path := w.file(filepath.Join("set", "a", file), content)
		w.read(name, "folder:"+filepath.Dir(filepath.Dir(path)))
	}
	formats := map[string][]byte{
		"png": encoded(w, func(out io.Writer, img image.Image) error { return png.Encode(out, img) }),
		"jpg": encoded(w, func(out io.Writer, img image.Image) error { return jpeg.Encode(out, img, nil) }),
		"gif": encoded(w, func(out io.Writer, img image.Image) error { return gif.Encode(out, img, nil) }),
	}
	for _, format := range []string{"png", "jpg", "gif"} {
		for i := range 12 {
			in(fmt.Sprintf("damaged %s %d", format, i), "1."+format, w.damaged(formats[format]))
		}
	}
	huge := append([]byte(nil), formats["png"]...)
	binary.BigEndian.PutUint32(huge[16:], 65535)
	binary.BigEndian.PutUint32(huge[20:], 65535)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	in("a png of 65535²", "1.png", huge)
	wide := bytes.Clone(formats["jpg"])
	if i := bytes.Index(wide, []byte{0xff, 0xc0}); i > 0 {
		copy(wide[i+5:], []byte{0xff, 0xff, 0xff, 0xff})
	}
	in("a jpeg of 65535²", "1.jpg", wide)
	flat := bytes.Clone(formats["gif"])
	copy(flat[6:], []byte{0xff, 0xff, 0xff, 0xff})
	in("a gif of 65535²", "1.gif", flat)
	bmp := append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00"), []byte{0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1, 0, 24, 0}...)
	in("a bmp of 2³¹", "1.bmp", append(bmp, make([]byte, 24)...))
	in("a webp of nothing", "1.webp", []byte("RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\x7f\x2f\xff\xff\xff\xff"))
	in("a tiff in a circle", "1.tiff", []byte("II*\x00\x08\x00\x00\x00\x01\x00\x00\x01\x04\x00\xff\xff\xff\xff\x00\x00\x00\x00\x08\x00\x00\x00"))
}

func (w *hostileFiles) texts() {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for name, text := range map[string]string{
		"aliases": bomb, "depth": strings.Repeat("[", 100_000), "maps": strings.Repeat("{a: ", 50_000), "a tag": "!!binary x", "itself": "a: &a {b: *a}\n", "merge": "a: &a {<<: *a}\n",
		"control": "a\x00: \x1b", "long": "a: " + strings.Repeat("x", 2<<20), "numbers": "runtime: {threads: 99999999999999999999}\n", "list": "- 1\n",
	} {
		w.add("configuration: "+name, "version", "--config", w.file("c.yaml", []byte(text)))
		w.add("zoo: "+name, "zoo", "plan", w.file("z.yaml", []byte(text)))
		model, err := os.ReadFile(w.model)
		if err != nil {
			w.t.Fatal(err)
		}
		path := w.file("m.onnx", model)
		w.file("m.model.yaml", []byte(text))
		w.add("model.yaml: "+name, "inspect", path)
	}
	w.add("a sparse zoo", "zoo", "plan", w.sparse("z.yaml", nil, 4<<30))
	w.add("a sparse configuration", "version", "--config", w.sparse("c.yaml", nil, 4<<30))
}

func (w *hostileFiles) certificates() {
	path := filepath.Join(w.dir, "true.jsonl")
	if got := ucan(w.t, "certify", "--model", w.model, "--data", "digits?n=2", "--sigma", "0.5", "--n", "50", "--n0", "10", "--seed", "1", "--json", path, "--quiet"); got.code != exitDone {
		w.t.Fatal(got.stderr)
	}
	whole := []byte(read(w.t, path))
	for i := range 40 {
		w.add(fmt.Sprintf("damaged certificate %d", i), "verify", w.file("c.jsonl", w.damaged(whole)))
	}
	for name, text := range map[string]string{
		"depth": strings.Repeat("[", 1_000_000), "objects": strings.Repeat(`{"a":`, 1_000_000), "a number": "1" + strings.Repeat("0", 1_000_000), "names": `{"a":1,"a":2}`, "text": "\"" + strings.Repeat("x", 5_000_000) + "\"",
		"lines": strings.Repeat("\n", 1_000_000), "zeros": strings.Repeat("\x00", 1<<20), "null": "null\n", "schema": `{"schema":"ucan.certificate/1"}` + "\n",
	} {
		file := w.file("c.jsonl", []byte(text))
		w.add("certificate: "+name, "verify", file)
		w.add("counts: "+name, "certify", "--from-counts", file, "--alpha", "0.01")
		w.add("rows: "+name, "radius", "--rows", file)
	}
	w.add("a line of 1 GB", "verify", w.sparse("c.jsonl", []byte("{"), 1<<30))
	for i := range 8 {
		out := w.file("c.jsonl", whole)
		w.file("c.jsonl.run.json", w.damaged([]byte(read(w.t, path+".run.json"))))
		w.add(fmt.Sprintf("a damaged record %d", i), "certify", "--model", w.model, "--data", "digits?n=2", "--sigma", "0.5", "--n", "50", "--n0", "10", "--json", out, "--resume", "--quiet")
	}
}
