//go:build bench

package bench

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// tape is the transport between an SDK and the local AWS. It keeps the last request and its answer, to play each of the two sides
// without the other.
type tape struct {
	aws    http.RoundTripper
	play   bool // answers are the kept one
	asked  *http.Request
	body   []byte
	said   *http.Response
	answer []byte
}

// RoundTrip implements http.RoundTripper.
func (p *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.play {
		said := *p.said
		said.Header, said.Request, said.Body = said.Header.Clone(), r, io.NopCloser(bytes.NewReader(p.answer))
		return &said, nil
	}
	var err error
	if p.body, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	p.asked = r
	said, err := p.ask()
	if err != nil {
		return nil, err
	}
	if p.answer, err = io.ReadAll(said.Body); err != nil {
		return nil, err
	}
	p.said, said.Body = said, io.NopCloser(bytes.NewReader(p.answer))
	return said, nil
}

// ask makes the kept request.
func (p *tape) ask() (*http.Response, error) {
	r := *p.asked
	r.Body = io.NopCloser(bytes.NewReader(p.body))
	return p.aws.RoundTrip(&r)
}

// rates are calls a second.
type rates struct {
	Together float64 `json:"together"`
	SDK      float64 `json:"sdk_alone,omitempty"`       // with an answer that is there
	LocalAWS float64 `json:"local_aws_alone,omitempty"` // with a request that is there
}

// rates measures a call that reads.
func (a *account) rates(t *testing.T, call func() error) rates {
	t.Helper()
	r := rates{Together: perSecond(t, call)}
	a.tape.play = true
	r.SDK = perSecond(t, call)
	a.tape.play = false
	r.LocalAWS = perSecond(t, func() error {
		said, err := a.tape.ask()
		if err == nil && said.StatusCode != http.StatusOK {
			t.Fatalf("the local AWS refuses what it took before: %s", said.Status)
		}
		return err
	})
	return r
}

// perSecond makes one call after the other for two seconds.
func perSecond(t *testing.T, call func() error) float64 {
	t.Helper()
	n, began := 0, time.Now()
	for time.Since(began) < 2*time.Second {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds()
}
