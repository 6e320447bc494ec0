package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"ucan/internal/atomicfile"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// layoutTriton is the layout of a Triton model repository.
const layoutTriton = "triton"

// modelExportOptions are those of export.
type modelExportOptions struct {
	model   modelOptions
	session sessionOptions
	shape   shapeOption
	out     string
	layout  string
	dir     string
}

func (e *modelExportOptions) declare(o *options) {
	e.model.declare(o)
	e.shape.declare(o, "export.shape")
	e.session.declare(o)
	o.drop(&e.session.workers, &e.session.batch)
	o.in(outputSection)
	o.text(&e.out, "export.out", "out", "", "write the pipeline to this ONNX file").as("o").output()
	o.text(&e.dir, "export.dir", "dir", "", "with --layout triton, folder to write the model's own folder into").output()
}

func (e *modelExportOptions) check(f *faults) {
	// The flag of the model's own layout has the server's too, by another name.
	switch e.layout = ""; strings.ToLower(e.model.layout) {
	case layoutTriton:
		e.layout, e.model.layout = layoutTriton, ""
		// The flag hides what a file or a variable says of the model, which must not be lost.
		if s := f.of(&e.model.layout); os.Getenv(s.variable()) != "" || f.app.config.of(s.key).path != "" {
			f.add(&e.model.layout, "the configuration gives the model's own layout, which --layout %s would hide; put that layout into the model's model.yaml", layoutTriton)
		}
	case "kserve":
		f.add(&e.model.layout, "there is no kserve layout: KServe's Triton runtime takes a Triton repository; give --layout triton")
		e.model.layout = ""
	}
	e.model.check(f)
	e.session.check(f)
	e.shape.check(f)
	switch {
	case e.layout == "" && e.out == "":
		f.add(&e.out, "no file to write is given; name one, or a folder with --layout triton --dir DIR")
	case e.layout != "" && (e.dir == "" || e.out != ""):
		f.add(&e.dir, "a server's layout goes into --dir; give that, and no --out")
	case e.layout == "" && e.dir != "":
		f.add(&e.dir, "it goes with --layout triton; give --out for a file")
	}
}

func newExportCommand(a *app) *cobra.Command {
	o := &modelExportOptions{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a model with all that stands around it as one plain ONNX file",
		Long: `Export writes the whole classifier as one ONNX file for other servers and languages: denoiser, preprocessing, network and
decision, from the data's own layout to scores and label. It is the function f that certificates speak of, without the
noise: whoever serves the smoothed classifier adds that.

The input is x, float32 [N, shape…] on the data's scale (images: RGB in [0, 1], channels first). The outputs are scores,
float32 [N, K], where the model has scores, and label, int64 [N]: the class, or -1 where none wins (NaN, ties). N is open
where rows are proved independent of one another. The file holds plain operators only, and in its metadata the hashes of
what it was made of; the same model gives the same bytes. Beside it lies NAME.model.yaml, by which ucan opens the file as
the same model.

--layout triton writes DIR/NAME/config.pbtxt and DIR/NAME/1/model.onnx instead, a model of a Triton repository, which KServe's
Triton runtime takes too. The model's own layout, where it must be given, then stands in its model.yaml.`,
		Example: `  ucan export --model net.onnx --mean 0.49,0.48,0.45 --std 0.25,0.24,0.26 --out pipeline.onnx
  ucan export --model net.onnx --denoiser wiener025 --out pipeline.onnx
  ucan export --model net.onnx --layout triton --dir repository`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runExport(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runExport(ctx context.Context, a *app, o *modelExportOptions) error {
	declaration := strings.TrimSuffix(o.out, filepath.Ext(o.out)) + ".model.yaml"
	if o.out != "" {
		err := absent(o.out)
		if err == nil {
			err = absent(declaration)
		}
		if err != nil {
			return err
		}
	}
	rt, err := runtime.Open(ctx, o.session.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	m, err := models.Open(ctx, rt, o.model.file, models.Options{
		Declared: o.model.declared, SourceShape: o.shape.dims, Session: o.session.options(), CacheDir: cacheFolder(),
	})
	if err != nil {
		return modelError(fmt.Errorf("open model %w", err))
	}
	a.onClose(m.Close)
	a.noteFindings(o.model.file, m)
	pipeline, err := m.Pipeline(buildVersion())
	if err != nil {
		return err
	}
	files := []string{o.out, declaration}
	if o.layout == layoutTriton {
		if files, err = writeTriton(o.dir, m, pipeline); err != nil {
			return err
		}
	} else if err = writePipeline(files[0], files[1], m, pipeline); err != nil {
		return err
	}
	return a.presentExport(files, m, pipeline)
}

// absent refuses an output that exists.
func absent(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return usagef("export: write %q: it exists; name another", path)
	} else if !os.IsNotExist(err) {
		return fmt.Errorf("export: look at the output: %w", err)
	}
	return nil
}

// writePipeline writes the file, then its declaration.
func writePipeline(file, declaration string, m *models.Model, pipeline *onnx.Model) error {
	text, err := yaml.Marshal(m.PipelineDeclaration())
	if err == nil {
		err = pipeline.Write(file)
	}
	if err == nil {
		err = atomicfile.WriteBytes(declaration, text)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// writeTriton writes a model of a Triton repository.
func writeTriton(dir string, m *models.Model, pipeline *onnx.Model) ([]string, error) {
	folder := filepath.Join(dir, m.Name())
	if err := absent(folder); err != nil {
		return nil, err
	}
	version := filepath.Join(folder, "1")
	if err := os.MkdirAll(version, fs.ModePerm); err != nil {
		return nil, fmt.Errorf("export: make the repository: %w", err)
	}
	files := []string{filepath.Join(version, "model.onnx"), filepath.Join(folder, "config.pbtxt")}
	err := pipeline.Write(files[0])
	if err == nil {
		err = atomicfile.WriteBytes(files[1], []byte(tritonConfig(m, pipeline)))
	}
	if err != nil { // nothing half done stands in the way of another try
		return nil, fmt.Errorf("export: %w", errors.Join(err, os.RemoveAll(folder)))
	}
	return files, nil
}

// tritonBatch is the largest batch that a server may put together.
const tritonBatch = 256

// tritonConfig is the config.pbtxt of a pipeline. Where the batch is open the server may put
// requests together, otherwise the dimensions hold the batch.
func tritonConfig(m *models.Model, pipeline *onnx.Model) string {
	fixed := m.FixedBatch()
	dims := func(v onnx.ValueInfo) string {
		var all []string
		for i, d := range v.Shape {
			if i == 0 && fixed == 0 {
				continue
			}
			all = append(all, fmt.Sprint(d.Size))
		}
		return strings.Join(all, ", ")
	}
	entry := func(v onnx.ValueInfo) string {
		kind := "TYPE_FP32"
		if v.Type == onnx.Int64 {
			kind = "TYPE_INT64"
		}
		shape := dims(v)
		if shape == "" { // one value a row
			return fmt.Sprintf("  { name: %q data_type: %s dims: [ 1 ] reshape: { shape: [ ] } }", v.Name, kind)
		}
		return fmt.Sprintf("  { name: %q data_type: %s dims: [ %s ] }", v.Name, kind, shape)
	}
	list := func(all []onnx.ValueInfo) string {
		var parts []string
		for _, v := range all {
			parts = append(parts, entry(v))
		}
		return strings.Join(parts, ",\n")
	}
	batch, batching := tritonBatch, "dynamic_batching { }\n"
	if fixed > 0 {
		batch, batching = 0, ""
	}
	return fmt.Sprintf("name: %q\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: %d\ninput [\n%s\n]\noutput [\n%s\n]\n%s",
		m.Name(), batch, list(pipeline.Inputs()), list(pipeline.Outputs()), batching)
}

func (a *app) presentExport(files []string, m *models.Model, pipeline *onnx.Model) error {
	if a.json() {
		return writeJSON(a.stdout, struct {
			Files    []string `json:"files"`
			Model    string   `json:"model_sha256"`
			Denoiser string   `json:"denoiser_sha256"` // "": none
			Decision string   `json:"decision"`
			Batch    int      `json:"batch"` // 0: any
		}{files, m.SHA256(), m.Preprocessing().Denoiser, m.Decision().String(), m.FixedBatch()})
	}
	for _, file := range files {
		fmt.Fprintln(a.stdout, file)
	}
	for _, v := range pipeline.Inputs() {
		fmt.Fprintf(a.stdout, "  input   %v\n", v)
	}
	for _, v := range pipeline.Outputs() {
		fmt.Fprintf(a.stdout, "  output  %v\n", v)
	}
	return nil
}
