package api

import (
	_ "embed" // for the contract
	"net/http"
	"strconv"
)

// Contract is openapi.yaml: the contract of both listeners.
//
//go:embed openapi.yaml
var Contract []byte

// serveContract answers GET /openapi.yaml.
func serveContract(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Length", strconv.Itoa(len(Contract)))
	_, _ = w.Write(Contract) // the client may be gone
	return nil
}
