// Package bench measures. Each file is one `make bench-…`, which writes a JSON file into out/ with the commit and the date; the
// documents quote those files. It tests nothing, and no other target runs it.
package bench
