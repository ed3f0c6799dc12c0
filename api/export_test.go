package api

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// Routes lists what a handler's router has, as "METHOD template".
func Routes(h http.Handler) (list []string) {
	_ = h.(*server).router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, _ := r.GetPathTemplate()
		methods, _ := r.GetMethods()
		for _, m := range methods {
			list = append(list, m+" "+strings.ReplaceAll(template, ":[^/]*}", "}"))
		}
		return nil
	})
	return list
}
