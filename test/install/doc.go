// Package install tests what people apply to their clusters, on a real API server: that it is admitted, that the manager can do its work
// with the rights that it gets there, that it needs every one of them, and that to apply it again, or over an older version, changes
// nothing that runs.
package install
