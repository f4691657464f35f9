package kubestore

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
)

// Config is for clients in the same process, without a socket: client-go's own, and with them a whole manager. Their requests
// are answered in goroutines of theirs, so that all of it can run in a synctest bubble.
func (s *Store) Config() *rest.Config {
	config := &rest.Config{Host: "http://kubestore", Transport: transport{s}, QPS: -1}
	config.ContentType = "application/json"
	return config
}

// transport hands requests to a handler.
type transport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. It returns when the answer's header is there; the body streams.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.URL.Query().Get("watch") != "true" {
		w := &whole{header: http.Header{}}
		t.handler.ServeHTTP(w, r)
		_ = r.Body.Close()
		return response(r, w.code, w.header, io.NopCloser(&w.body)), nil
	}
	reader, writer := io.Pipe()
	w := &stream{header: http.Header{}, body: writer, begun: make(chan struct{})}
	broken := context.AfterFunc(r.Context(), func() { _ = writer.CloseWithError(r.Context().Err()) })
	go func() {
		defer broken()
		defer func() { _ = writer.Close() }()
		defer w.begin(http.StatusOK)
		t.handler.ServeHTTP(w, r)
	}()
	<-w.begun
	return response(r, w.code, w.header, reader), nil
}

func response(r *http.Request, code int, header http.Header, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: -1, Request: r,
	}
}

// whole is an answer that is handed over when it is finished.
type whole struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (w *whole) Header() http.Header  { return w.header }
func (w *whole) WriteHeader(code int) { w.code = code }
func (w *whole) Write(p []byte) (int, error) {
	return w.body.Write(p)
}

// stream is an answer that is handed over as it is written.
type stream struct {
	header http.Header
	code   int
	body   *io.PipeWriter
	begun  chan struct{}
	once   sync.Once
}

func (w *stream) Header() http.Header  { return w.header }
func (w *stream) WriteHeader(code int) { w.begin(code) }
func (w *stream) Write(p []byte) (int, error) {
	return w.body.Write(p)
}

func (w *stream) begin(code int) {
	w.once.Do(func() {
		w.code = code
		close(w.begun)
	})
}
