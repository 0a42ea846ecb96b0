package main

import (
	"net"
	"net/http"
	"sync"
)

// silent holds the connections on which nothing has been asked yet. http.Server.Shutdown would wait five seconds for them.
type silent struct {
	connections sync.Map
}

// note is an http.Server.ConnState hook.
func (s *silent) note(connection net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.connections.Store(connection, struct{}{})
	} else {
		s.connections.Delete(connection)
	}
}

func (s *silent) closeAll() {
	s.connections.Range(func(connection, _ any) bool {
		connection.(net.Conn).Close()
		return true
	})
}
