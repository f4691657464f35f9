// Package prometheus holds the tests of the alert rules and the dashboard: that Prometheus can read them, that they name metrics and
// labels that the controller really has, and that alerts fire when they should. It is a module of its own, for the parser of PromQL
// brings a hundred modules along that nothing else needs.
package prometheus
