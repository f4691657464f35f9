// Package chart tests the Helm chart by Helm itself: that it installs what config/ does, that wrong values are refused in words, and that
// a real API server takes it, keeps what runs over an upgrade, and keeps definitions and Releases when it is uninstalled.
package chart
