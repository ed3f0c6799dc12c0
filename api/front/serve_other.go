//go:build !linux

package front

// serve serves the connection.
func (c *conn) serve() outcome { return c.servePlain() }
