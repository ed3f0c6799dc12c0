// Package cost reckons what a clawd cluster on AWS costs: how many instances a
// load needs, and what these, their disks, the load balancer and the traffic
// between zones are billed at. Arithmetic on its arguments: it measures nothing
// and asks nobody. What is measured and where each price is from stands beside
// the constants; docs/cost.md explains the reckoning.
package cost
