package certify

import (
	"context"

	"ucan/models"
	"ucan/runtime"
)

// Sizing is what a user asks of how a model runs; 0 stands for a choice by rule or measurement.
type Sizing struct {
	Threads, Workers, Batch int
}

// Choose decides how the model runs. The number of workers never moves another part of the setting,
// so that runs with different numbers give the same bits. A model whose scores depend on the batch
// gets a batch by rule, not by measurement, so that two machines agree.
func (z Sizing) Choose(ctx context.Context, m *models.Model) (models.Setting, error) {
	threads := z.Threads
	if threads == 0 {
		threads = max(runtime.CPUCount(), z.Workers)
	}
	probe := m.Report().Probe
	byRule := z.Batch == 0 && m.FixedBatch() == 0 && probe != nil && !probe.BatchIndependent
	if z.Workers == 0 && !byRule {
		return m.Calibrate(ctx, models.Wanted{Threads: threads, Batch: z.Batch})
	}
	workers := z.Workers
	if workers == 0 {
		workers = threads
	}
	intra := 1
	if z.Threads > 0 {
		intra = max(1, z.Threads/workers)
	}
	if byRule {
		return models.Setting{Batch: BatchByRule(m.Dim()), Workers: workers, IntraOp: intra}, nil
	}
	setting, err := m.Calibrate(ctx, models.Wanted{Threads: intra, Workers: 1, Batch: z.Batch})
	setting.Workers, setting.IntraOp = workers, intra
	return setting, err
}

// BatchByRule is the physical batch for inputs of dim values where no measurement may decide. It
// fills about two megabytes, within 4 to 128 rows, which is near the best of every model measured.
func BatchByRule(dim int) int {
	const values = 512 << 10
	batch := 128
	for batch > 4 && batch*dim > values {
		batch /= 2
	}
	return batch
}
