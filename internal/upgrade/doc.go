// Package upgrade tests that this version of clawd works beside the one before:
// on the same wire, and on the same data, there and back. Real processes of both
// binaries form one cluster, which is upgraded node by node under load, as
// docs/operations.md says; nothing acknowledged may be forgotten, and no call
// may fail that is made again at another node.
//
// `make upgrade-test` builds the version before (scripts/previous.sh) and names
// its binary to the test. The package holds no code.
package upgrade
