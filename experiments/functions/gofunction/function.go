package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

const (
	hello = "Hello From Go Serverless Function"
	// How much more of a body that is too large is read, so that the client gets to see the answer.
	discard = 16 << 20
)

// function is the function as an HTTP handler: any path greets, /_/health says that it can serve.
type function struct {
	replica  string
	maxBody  int64
	draining atomic.Bool
}

func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Replica-Id", f.replica)
	header.Set("X-Replica-Start-Time", startedAt)
	if f.draining.Load() {
		header.Set("Connection", "close")
	}
	if r.URL.Path == "/_/health" {
		reply(w, "text/plain; charset=utf-8", http.StatusOK, "OK\n")
		return
	}
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, f.maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		reply(w, "text/plain; charset=utf-8", http.StatusOK, hello)
	case errors.As(err, &tooLarge):
		message := fmt.Sprintf(`{"error":"the body is larger than %d bytes (max_body_bytes)"}`, f.maxBody)
		reply(w, "application/json", http.StatusRequestEntityTooLarge, message)
		w.(http.Flusher).Flush()
		_, _ = io.CopyN(io.Discard, r.Body, discard)
	default:
		reply(w, "application/json", http.StatusBadRequest, `{"error":"the body broke off"}`)
	}
}

func reply(w http.ResponseWriter, contentType string, status int, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// An error here means that the caller has gone; there is nobody to tell.
	_, _ = io.WriteString(w, body)
}
