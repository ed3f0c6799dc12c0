// Command clawd runs a node of the cluster and gives operators its verbs.
//
// `clawd serve` fills node.Options from flags, environment and file and hands
// them to package node; every other verb is a caller of package client, so it
// can do nothing a program could not do over HTTP. The exceptions are restore,
// which works on a data directory no node has open, and config check.
//
// Exit codes: 0 ok, 1 error, 2 wrong usage or configuration, 3 denied.
package main
