// Package notify tells people what became of a deploy, with the command to type next. What there is to tell is read off a Release's
// status (Notices); who is told, and that it arrives, is Notifier's. It has a queue and workers of its own: no pass over a Release waits
// for it, and nothing is decided here.
package notify
