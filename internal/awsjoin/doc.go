// Package awsjoin tests that nodes on AWS find each other, with real processes
// and without AWS: moto answers for EC2 and checks the signatures, a server of
// the test's own is the instances' metadata. The instances have addresses of
// the loopback range, so that what a node finds it can also join.
//
// moto is a Python package; `make aws-test` installs it and names it to the
// test, which `go test ./...` alone cannot. The package holds no code.
package awsjoin
