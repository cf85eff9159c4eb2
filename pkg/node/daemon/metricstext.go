package daemon

import (
	"bytes"
	"fmt"
	"net/http"
)

// Text is the metrics as /metrics shows them.
func (m *Metrics) Text() ([]byte, error) {
	var page page
	m.Handler().ServeHTTP(&page, &http.Request{Method: http.MethodGet, Header: http.Header{}})
	if page.status >= http.StatusBadRequest {
		return nil, fmt.Errorf("gather metrics: %s", &page.Buffer)
	}
	return page.Bytes(), nil
}

// page is an answer kept in memory.
type page struct {
	bytes.Buffer
	header http.Header
	status int
}

// Header is of the answer.
func (p *page) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// WriteHeader notes the answer's status.
func (p *page) WriteHeader(status int) { p.status = status }
