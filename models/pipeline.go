package models

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Names in an exported pipeline ([Model.Pipeline]).
const (
	PipelineInput  = "x"
	PipelineScores = "scores"
	PipelineLabel  = "label"
)

// pipelineOpset is the oldest version of the operators that a pipeline is written in.
const pipelineOpset = 17

// pipelinePrefix keeps the inner names apart from those of the pipeline.
const pipelinePrefix = "f."

// Pipeline returns the whole classifier as plain ONNX, for runtimes and servers that know nothing
// of this package: denoiser, preprocessing, network and decision in one graph. Its input is
// [PipelineInput], float32 [N, source…]; its outputs are [PipelineScores], float32 [N, K], where
// the model has scores, and [PipelineLabel], int64 [N]: the class, or −1 where no class wins (NaN,
// ties). N is open where rows are proved independent, and otherwise the batch that the model runs
// at. What the graph was made of stands in its metadata, with no time and no path: the same model
// gives the same bytes. version names the program that exports.
func (m *Model) Pipeline(version string) (*onnx.Model, error) {
	graph, err := m.graph.WithOpset(max(pipelineOpset, m.graph.Opset("")))
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", m.Name(), err)
	}
	if m.fixedBatch > 0 {
		if graph, err = graph.WithBatch(onnx.Fixed(int64(m.fixedBatch))); err != nil {
			return nil, fmt.Errorf("export %s: %w", m.Name(), err)
		}
	}
	_, scored := graph.Output(rewrite.ScoresName)
	scored = scored && m.decision.Kind != declare.Label
	graph = graph.Prefixed(pipelinePrefix)
	graph, err = graph.Renamed(map[string]string{pipelinePrefix + rewrite.InputName: PipelineInput})
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", m.Name(), err)
	}
	batch := onnx.Sym("N")
	if m.fixedBatch > 0 {
		batch = onnx.Fixed(int64(m.fixedBatch))
	}
	b := onnx.Extend(graph)
	b.ClearOutputs()
	if scored {
		b.Output(PipelineScores, b.Value(pipelinePrefix+rewrite.ScoresName), onnx.Float, batch, onnx.Fixed(int64(m.scoreWidth)))
	}
	b.Output(PipelineLabel, b.Cast(b.Value(pipelinePrefix+rewrite.LabelName), onnx.Int64), onnx.Int64, batch)
	if graph, err = b.Build(); err == nil {
		graph, err = graph.WithoutDead()
	}
	if err == nil {
		graph, err = m.described(graph, version)
	}
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", m.Name(), err)
	}
	return graph, nil
}

// described writes into the metadata what a pipeline was made of.
func (m *Model) described(graph *onnx.Model, version string) (*onnx.Model, error) {
	prep, err := json.Marshal(m.report.Prep)
	if err != nil {
		return nil, err
	}
	entries := map[string]string{
		"ucan.version": version, "ucan.model": m.Name(), "ucan.model_sha256": m.sha256,
		"ucan.preprocessing": string(prep), "ucan.decision": m.decision.String(),
	}
	if d := m.report.Prep.Denoiser; d != "" {
		entries["ucan.denoiser_sha256"] = d
	}
	if l := m.report.Labels; len(l) > 0 {
		names, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		entries["ucan.labels"] = string(names)
	}
	return graph.Edit(func(p *onnxpb.ModelProto) error {
		p.MetadataProps = slices.DeleteFunc(p.MetadataProps, func(e *onnxpb.StringStringEntryProto) bool { return strings.HasPrefix(e.GetKey(), "ucan.") })
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			p.MetadataProps = append(p.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(entries[key])})
		}
		return nil
	})
}

// PipelineDeclaration is what model.yaml must say of a pipeline for it to be opened as the model
// that it came from: nothing is left to do in front of it, and its decision is the same.
func (m *Model) PipelineDeclaration() Declaration {
	scale := 1.0
	d := Declaration{
		Input:  InputDeclaration{Name: PipelineInput, Scale: &scale},
		Output: OutputDeclaration{Name: PipelineScores, Decision: m.decision.String()},
		Labels: m.Labels(),
	}
	if len(m.source) == 3 {
		d.Input.Layout = declare.NCHW
	}
	if m.decision.Kind == declare.Label {
		d.Output = OutputDeclaration{Name: PipelineLabel, Decision: string(declare.Label), Classes: m.Classes()}
	}
	return d
}
