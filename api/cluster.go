package api

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/openclaw/clawd/api/wire"
)

// cluster is the operator's view of the members, and what they do to them.
type cluster struct {
	view   ClusterViewer
	admin  ClusterAdmin
	backup Backuper
}

// get answers GET /v1/cluster.
func (c cluster) get(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	view, err := c.view.Cluster(r.Context())
	if err != nil {
		return err
	}
	view.Members = orEmpty(view.Members)
	writeJSON(w, http.StatusOK, view)
	return nil
}

// join answers POST /v1/cluster/join.
func (c cluster) join(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.JoinRequest
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if n := len(body.Addresses); n == 0 || n > maxJoin {
		return Invalid("addresses", "must have from 1 to %d elements", maxJoin)
	}
	for i, a := range body.Addresses {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return Invalid(fmt.Sprintf("addresses[%d]", i), "must be host:port")
		}
	}
	n, err := c.admin.Join(r.Context(), body.Addresses)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.JoinResponse{Joined: n})
	return nil
}

// leave answers POST /v1/cluster/leave. The node leaves after the answer.
func (c cluster) leave(w http.ResponseWriter, r *http.Request) error {
	if err := nothingElse(w, r); err != nil {
		return err
	}
	if err := c.admin.Leave(r.Context()); err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, wire.LeaveResponse{State: wire.StateLeaving})
	return nil
}

// forget answers POST /v1/cluster/forget.
func (c cluster) forget(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.ForgetRequest
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if err := checkName("member", body.Member, MaxNameBytes); err != nil {
		return err
	}
	answer, err := c.admin.Forget(r.Context(), body.Member)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// backUp answers POST /v1/backup.
func (c cluster) backUp(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.BackupRequest
	if err := readJSON(w, r, maxJSONBody, &body, false); err != nil {
		return err
	}
	if !filepath.IsAbs(body.Directory) || strings.ContainsRune(body.Directory, 0) {
		return Invalid("directory", "must be an absolute path on the node")
	}
	answer, err := c.backup.Backup(r.Context(), filepath.Clean(body.Directory))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}
