package certify

import (
	"context"
	"errors"
	"fmt"

	"ucan/internal/dataset"
)

// examinedValues bounds the values that are kept for the examination of outputs.
const examinedValues = 16 << 20

// CheckClean classifies the first labelled inputs of the source without noise. A certificate for a
// model that cannot tell them apart would be worthless, and the cause is mostly a wrong scale,
// layout or label order. It then examines the outputs themselves ([models.Model.Examine]), on the
// same inputs or, in a source without labels, on the first ones.
func (s *Setup) CheckClean(ctx context.Context) (dataset.CleanReport, error) {
	labels, predictions, rows, err := s.clean(ctx)
	if err != nil {
		return dataset.CleanReport{}, err
	}
	predicted := make([]int, len(predictions))
	for i, p := range predictions {
		predicted[i] = int(p)
	}
	report, err := dataset.CheckClean(labels, predicted, s.Model.Classes())
	if err != nil || len(rows) == 0 {
		return report, err
	}
	x, err := s.Model.Examine(ctx, rows, predictions[:len(rows)/s.Model.Dim()])
	if err != nil {
		return report, fmt.Errorf("examine the model's outputs: %w", err)
	}
	report.Warnings = x.Warnings()
	if fault := x.Fault(); fault != "" && (report.OK() || x.Contradicted()) {
		report.Verdict, report.Cause = dataset.CleanFaulty, fault
		if x.Contradicted() {
			report.Verdict = dataset.CleanContradicted
		}
	}
	return report, nil
}

// clean reads and classifies inputs: as many labelled ones as the check needs, or without any label
// the first ones. rows are the values of the first of them, within examinedValues.
func (s *Setup) clean(ctx context.Context) (labels []int, predictions []int32, rows []float32, err error) {
	classifier, dim := s.Classifiers[0], s.Model.Dim()
	inputs, buffer, filled, labelled := s.Inputs(), classifier.Input(), 0, 0
	flush := func() error {
		votes, flushErr := classifier.Classify(ctx, filled)
		predictions = append(predictions, votes...)
		filled = 0
		return flushErr
	}
	for i := 0; i < s.Source.Len() && labelled < dataset.CleanInputs && (labelled > 0 || i < dataset.CleanInputs); i++ {
		item, readErr := inputs.At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(readErr, &bad) {
			continue
		}
		if readErr != nil {
			return nil, nil, nil, readErr
		}
		if item.Label < 0 && labelled > 0 {
			continue
		}
		if item.Label >= 0 {
			labelled++
		}
		if len(rows)+dim <= max(examinedValues, dim) && len(rows) == len(labels)*dim {
			rows = append(rows, item.X...)
		}
		copy(buffer[filled*dim:], item.X)
		labels = append(labels, item.Label)
		if filled++; (filled+1)*dim > len(buffer) {
			if err = flush(); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	if filled > 0 {
		err = flush()
	}
	return labels, predictions, rows, err
}
