package fieldmap

import (
	"html/template"
	"io"
)

// writePage writes the index: the sheets, then the figures with links to the fields. It needs no
// other file or site.
func writePage(w io.Writer, g Gallery, f Files) error {
	t, err := template.New("page").Funcs(template.FuncMap{"number": number}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		Gallery
		Files
	}{g, f})
}

const pageText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<style>
body { font: 15px/1.45 sans-serif; color: #222; margin: 2em auto; max-width: 70em; padding: 0 1em }
img { max-width: 100%; border: 1px solid #ddd }
table { border-collapse: collapse; margin-top: 1.5em }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #e4e4e4 }
th { text-align: right; border-bottom: 1px solid #222 }
</style>
<h1>{{.Title}}</h1>
<p>{{.Note}}</p>
{{range .Sheets}}<p><img src="{{.}}" alt="inputs beside their noise parameters"></p>
{{end}}<table>
<tr><th>input<th>label<th>least σ<th>geometric mean<th>largest σ<th>‖μ‖<th>‖x‖<th>at floor<th>at ceiling<th>fields
{{range .Figures}}<tr><td>{{.Index}}<td>{{if ge .Label 0}}{{.Label}}{{end}}<td>{{number .SigmaMin}}<td>{{number .SigmaMean}}<td>{{number .SigmaMax}}<td>{{number .MuNorm}}<td>{{number .InputNorm}}<td>{{.Floored}}<td>{{.Ceiled}}<td><a href="{{.SigmaFile}}">σ</a>{{if .MuFile}} <a href="{{.MuFile}}">μ</a>{{end}}
{{end}}</table>
</html>
`
