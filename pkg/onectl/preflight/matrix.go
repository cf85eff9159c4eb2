package preflight

import "time"

// CellState is what was measured between two ends.
type CellState string

// The states of a cell.
const (
	CellOK      CellState = "ok"
	CellFail    CellState = "fail"
	CellUnknown CellState = "unknown" // not measured, or the measurement did not finish
)

// Cell is one measurement.
type Cell struct {
	State   CellState     `json:"state"`
	Latency time.Duration `json:"latency,omitempty"` // nanoseconds; 0 when it was not measured
	Note    string        `json:"note,omitempty"`    // the likely hop of a failure, or what was measured
}

// Matrix is who reaches whom: Cells[i][j] is from Rows[i] to Cols[j].
type Matrix struct {
	Title string   `json:"title,omitempty"`
	Rows  []string `json:"rows"`
	Cols  []string `json:"cols"`
	Cells [][]Cell `json:"cells"`
}

// At is the cell from row i to column j; one that is missing is unknown.
func (m Matrix) At(i, j int) Cell {
	if i < 0 || j < 0 || i >= len(m.Cells) || j >= len(m.Cells[i]) {
		return Cell{State: CellUnknown}
	}
	return m.Cells[i][j]
}
