// Command function answers every request with a greeting and follows the rules that functions keep: replica headers on
// every response, a health path, and an end on SIGTERM which lets requests finish.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	// Whoever keeps a pool of connections should be the one to close them: then none is closed under a request.
	keepAlive = 5 * time.Minute
	// The longest that a request may take to arrive.
	readTimeout = 5 * time.Minute
	// On SIGTERM, requests which are in the kernel's buffers already still get their answer.
	linger = 50 * time.Millisecond
)

// Package variables are set before main, about a millisecond after the process began.
var startedAt = strconv.FormatInt(time.Now().UnixMilli(), 10)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	port, err := setting("PORT", 8080, 0, 65535)
	if err != nil {
		return err
	}
	maxBody, err := setting("max_body_bytes", 10<<20, 0, 1<<31)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)

	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), strconv.FormatInt(port, 10)))
	if err != nil {
		return fmt.Errorf("can't listen on port %d: %w", port, err)
	}
	function := &function{replica: replicaID(), maxBody: maxBody}
	unused := &silent{}
	server := &http.Server{Handler: function, IdleTimeout: keepAlive, ReadTimeout: readTimeout, ConnState: unused.note}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	select {
	case err = <-failed:
		return err
	case <-stop:
	}
	function.draining.Store(true)
	listener.Close()
	time.Sleep(linger)
	unused.closeAll()
	return server.Shutdown(context.Background())
}

func replicaID() string {
	if id := os.Getenv("REPLICA_ID"); id != "" {
		return id
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

func setting(name string, fallback, min, max int64) (int64, error) {
	found := os.Getenv(name)
	if found == "" {
		return fallback, nil
	}
	value, err := strconv.ParseInt(found, 10, 64)
	if err != nil || value < min || value > max {
		return 0, fmt.Errorf("environment: %s: found %s, allowed: a whole number from %d to %d", name, found, min, max)
	}
	return value, nil
}
