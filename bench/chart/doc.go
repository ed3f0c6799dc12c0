// Package chart draws the plots of docs/: bars with their spread, and lines
// over time or over percentiles, as SVG small enough to read in a diff.
//
// It draws and nothing else: no file is written, no data is changed.
package chart
