package export

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"ucan/internal/results"
)

// parquetRow is a row of the Parquet file: the columns of the table at full precision (radii and
// bounds are those of the certificate, not truncated to six decimals), and the certificate's id to
// find it by.
type parquetRow struct {
	Model   string  `parquet:"model,dict"`
	Dataset string  `parquet:"dataset,dict"`
	Noise   string  `parquet:"noise,dict"`
	Index   int64   `parquet:"idx"`
	Label   int32   `parquet:"label"`
	Predict int32   `parquet:"predict"`
	Radius  float64 `parquet:"radius"`
	Correct bool    `parquet:"correct"`
	Seconds float64 `parquet:"time"`
	Norm    string  `parquet:"norm,dict"`
	L1      float64 `parquet:"l1"`
	L2      float64 `parquet:"l2"`
	LInf    float64 `parquet:"linf"`
	ALM     float64 `parquet:"alm"`
	// Both are null where the range of the data's values is not known.
	ALMCapped   *float64 `parquet:"alm_capped,optional"`
	CappedShare *float64 `parquet:"capped_share,optional"`
	PLower      float64  `parquet:"p_lower"`
	K           int64    `parquet:"k"`
	N           int64    `parquet:"n"`
	Guarantee   string   `parquet:"guarantee,dict"`
	Status      string   `parquet:"status,dict"`
	ID          string   `parquet:"id"`
}

// groupRows is how many rows a row group has, which is what memory holds.
const groupRows = 50_000

// parquetSink writes rows in groups.
type parquetSink struct {
	w       *parquet.GenericWriter[parquetRow]
	pending int
}

func newParquetSink(w io.Writer) *parquetSink {
	// A fixed name: the library would write its own version, and equal rows shall give equal bytes.
	return &parquetSink{w: parquet.NewGenericWriter[parquetRow](w, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("ucan", "1", "0"))}
}

// add is a sink.
func (p *parquetSink) add(r Record, row results.Row) error {
	var c struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(r.Certificate, &c); err != nil {
		return fmt.Errorf("read the certificate's id: %w", err)
	}
	var capped, share *float64
	if row.Boxed {
		capped, share = &row.ALMCapped, &row.CappedShare
	}
	_, err := p.w.Write([]parquetRow{{
		Model: r.Model, Dataset: r.Dataset, Noise: r.Noise, Index: r.Index, Label: int32(row.Label), Predict: int32(row.Predict),
		Radius: row.Radius, Correct: row.Correct, Seconds: row.Seconds, Norm: row.Norm, L1: row.L1, L2: row.L2, LInf: row.LInf,
		ALM: row.ALM, ALMCapped: capped, CappedShare: share, PLower: row.PLower, K: row.K, N: row.N, Guarantee: row.Guarantee, Status: string(row.Status), ID: c.ID,
	}})
	if err != nil {
		return err
	}
	if p.pending++; p.pending == groupRows {
		p.pending = 0
		return p.w.Flush()
	}
	return nil
}
